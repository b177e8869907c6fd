using System.Text;
using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers.Added;
using InferenceServer.Text.Tokenizers.Models;

namespace InferenceServer.Text.Tokenizers.Tables;

/// <summary>The tokens of the tables by what they are for: vocabulary, tokens found in the raw text, and those that only control.</summary>
internal sealed class TokenRoles
{
    private const int Unknown = 2;
    private const int Control = 3;
    private const int UserDefined = 4;
    private const int TypeMost = 6;

    // Empty texts stand for ids that no token has; the vocabulary's table of holes is as long as its ids.
    private const int EmptyMost = 65_536;

    // llama.cpp takes these for control tokens whatever the file says, because published files say it wrong.
    private static readonly HashSet<string> ControlTexts = new(StringComparer.Ordinal)
    {
        "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|calls|>", "<|flush|>", "<end_of_turn>", "<turn|>",
        "<|endoftext|>", "<|end_of_text|>", "<end_of_utterance>", "<｜end▁of▁sentence｜>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<eos>",
        "<|tool_response>", "[e~[", "<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>", "<|code_prefix|>",
        "<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>", "<|code_suffix|>", "<|fim_middle|>", "<fim-middle>",
        "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>", "<|code_middle|>", "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]",
        "<|fim_repo|>", "<fim-repo>", "<|repo_name|>", "<REPO>", "<reponame>", "<|file_sep|>",
    };

    private TokenRoles(Vocabulary vocabulary) => Vocabulary = vocabulary;

    public Vocabulary Vocabulary { get; }

    /// <summary>Control, unknown and user-defined tokens, all sought in the raw text.</summary>
    public List<AddedToken> Added { get; } = [];

    /// <summary>The ids that text never becomes by itself.</summary>
    public HashSet<int> Special { get; } = [];

    /// <param name="tables">As read from the file.</param>
    /// <param name="isVocabulary">Whether an id is a token at all; false leaves a hole.</param>
    public static TokenRoles Read(TokenizerTables tables, Func<int, bool> isVocabulary)
    {
        CheckLengths(tables);
        CheckIds(tables);
        TokenRoles roles = new(ReadVocabulary(tables, isVocabulary));
        for (int id = 0; id < tables.Tokens.Count; id++)
        {
            if (!roles.Vocabulary.Contains(id))
                continue;
            string text = tables.Tokens[id];
            int type = TypeOf(tables, id);
            bool special = type is Unknown or Control || id == tables.BosToken || id == tables.EosToken || ControlTexts.Contains(text)
                || (text == "</s>" && type == UserDefined); // as a normal token it is ordinary vocabulary, of Qwen2 for one
            if (special)
                roles.Special.Add(id);
            if (special || type == UserDefined)
                roles.Added.Add(new AddedToken { Id = id, Content = text, Special = special });
        }

        return roles;
    }

    /// <summary>What the tables say of a token; 1, normal, where they say nothing.</summary>
    public static int TypeOf(TokenizerTables tables, int id) => tables.Types.Count == 0 ? 1 : tables.Types[id];

    private static Vocabulary ReadVocabulary(TokenizerTables tables, Func<int, bool> isVocabulary)
    {
        Vocabulary vocabulary = new();
        HashSet<string> seen = new(tables.Tokens.Count, StringComparer.Ordinal);
        int empty = 0;
        for (int id = 0; id < tables.Tokens.Count; id++)
        {
            string text = tables.Tokens[id];
            if (TypeOf(tables, id) is < 0 or > TypeMost)
                throw new InvalidDataException($"\"tokenizer.ggml.token_type[{id}]\" is {tables.Types[id]}; expected a type from 1 to {TypeMost}.");
            if (text.Length > 0 && !seen.Add(text))
                throw new InvalidDataException($"\"tokenizer.ggml.tokens[{id}]\" is \"{Show(text)}\", which an earlier id has; expected a token once.");
            if (text.Length > 0 && isVocabulary(id))
                vocabulary.Add(Encoding.UTF8.GetBytes(text), id);
            else if (++empty > EmptyMost)
                throw new InvalidDataException($"\"tokenizer.ggml.tokens\" has more than {EmptyMost} ids without a token; expected a text for nearly every id.");
        }

        vocabulary.Seal();
        return vocabulary;
    }

    private static void CheckLengths(TokenizerTables tables)
    {
        int count = tables.Tokens.Count;
        if (count == 0)
            throw new InvalidDataException("\"tokenizer.ggml.tokens\" is empty; expected the text of every id.");
        if (tables.Scores.Count > 0 && tables.Scores.Count != count)
            throw new InvalidDataException($"\"tokenizer.ggml.scores\" has {tables.Scores.Count} entries; expected one for each of the {count} tokens.");
        if (tables.Types.Count > 0 && tables.Types.Count != count)
            throw new InvalidDataException($"\"tokenizer.ggml.token_type\" has {tables.Types.Count} entries; expected one for each of the {count} tokens.");
    }

    private static void CheckIds(TokenizerTables tables)
    {
        Check(tables.BosToken, "bos_token_id");
        Check(tables.EosToken, "eos_token_id");
        Check(tables.UnknownToken, "unknown_token_id");

        void Check(int? id, string field)
        {
            if (id is < 0 || id >= tables.Tokens.Count)
                throw new InvalidDataException($"\"tokenizer.ggml.{field}\" is {id}; expected an id below {tables.Tokens.Count}, the number of tokens.");
            if (id is int known && tables.Tokens[known].Length == 0)
                throw new InvalidDataException($"\"tokenizer.ggml.{field}\" is {id}, whose text is empty; expected the id of a token.");
        }
    }

    public static string Show(string text) => text.Length <= 60 ? text : text[..60] + "…";
}
