using System.Text;
using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers.Models;

namespace InferenceServer.Text.Tokenizers.Tables;

/// <summary>
/// Scores as merges: every cut of a token into two that exist is a merge, and its rank is the token's place among the scores. So the pair that
/// merges first is the one that makes the token of the highest score, the leftmost of equals, as in SentencePiece's bpe_model.cc.
/// </summary>
/// <param name="Merges">Pair to rank and merged id.</param>
/// <param name="Vocabulary">The tokens, and behind them the characters that are no tokens themselves but parts of one.</param>
internal sealed record ScoredMerges(BpeMerges Merges, Vocabulary Vocabulary)
{
    // Cutting a token costs the square of its length; the longest published one, a run of spaces, has a few hundred bytes.
    private const int TokenBytesMost = 1_024;

    /// <param name="tables">As read from the file.</param>
    /// <param name="vocabulary">Its tokens.</param>
    /// <param name="apart">Ids that text never becomes by merging.</param>
    public static ScoredMerges Build(TokenizerTables tables, Vocabulary vocabulary, HashSet<int> apart)
    {
        int[] ranks = Ranks(tables);
        Vocabulary letters = WithLetters(vocabulary, apart);
        List<(int Left, int Right, int Merged)> merges = [];
        bool joinsAtSpace = false;
        for (int id = 0; id < vocabulary.Size; id++)
        {
            ReadOnlySpan<byte> text = apart.Contains(id) ? default : vocabulary.Content(id);
            for (int cut = 1; cut < text.Length; cut++)
            {
                if ((text[cut] & 0xC0) == 0x80) // inside a character
                    continue;
                int left = letters.Find(text[..cut]);
                int right = left < 0 || apart.Contains(left) ? -1 : letters.Find(text[cut..]);
                if (right < 0 || apart.Contains(right))
                    continue;
                merges.Add((left, right, id));
                joinsAtSpace |= text[cut..].StartsWith("▁"u8) && !text[..cut].EndsWith("▁"u8);
            }
        }

        MergeTable table = new(merges.Count);
        foreach ((int left, int right, int merged) in merges)
            table.Add(left, right, ranks[merged], merged);
        return new ScoredMerges(new BpeMerges(table, joinsAtSpace), letters);
    }

    /// <summary>The place of each id's score, 0 for the highest; equal scores have one place.</summary>
    private static int[] Ranks(TokenizerTables tables)
    {
        if (tables.Scores.Count == 0)
            throw new InvalidDataException("\"tokenizer.ggml.scores\" is absent; the model \"llama\" merges by the scores of its tokens.");

        float[] scores = [.. tables.Scores];
        int[] ids = new int[scores.Length];
        for (int id = 0; id < ids.Length; id++)
        {
            if (float.IsNaN(scores[id]))
                throw new InvalidDataException($"\"tokenizer.ggml.scores[{id}]\" is not a number; expected the score of \"{TokenRoles.Show(tables.Tokens[id])}\".");
            ids[id] = id;
        }

        Array.Sort(scores, ids);
        int[] ranks = new int[ids.Length];
        int rank = 0;
        for (int i = ids.Length - 1; i >= 0; i--)
        {
            if (i < ids.Length - 1 && scores[i] != scores[i + 1])
                rank++;
            ranks[ids[i]] = rank;
        }

        return ranks;
    }

    private static Vocabulary WithLetters(Vocabulary vocabulary, HashSet<int> apart)
    {
        SortedSet<Rune> missing = [];
        for (int id = 0; id < vocabulary.Size; id++)
        {
            ReadOnlySpan<byte> text = apart.Contains(id) ? default : vocabulary.Content(id);
            if (text.Length > TokenBytesMost)
                throw new InvalidDataException($"\"tokenizer.ggml.tokens[{id}]\" is {text.Length} bytes long; expected at most {TokenBytesMost}.");
            while (!text.IsEmpty)
            {
                Rune.DecodeFromUtf8(text, out Rune letter, out int length);
                if (vocabulary.Find(text[..length]) < 0)
                    missing.Add(letter);
                text = text[length..];
            }
        }

        if (missing.Count == 0)
            return vocabulary;

        Vocabulary letters = new();
        for (int id = 0; id < vocabulary.Size; id++)
            if (vocabulary.Contains(id))
                letters.Add(vocabulary.Content(id), id);
        int next = vocabulary.Size;
        Span<byte> utf8 = stackalloc byte[4];
        foreach (Rune letter in missing)
            letters.Add(utf8[..letter.EncodeToUtf8(utf8)], next++);
        letters.Seal();
        return letters;
    }
}
