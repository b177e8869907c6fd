using InferenceServer.Core.Text;
using InferenceServer.Models.Files.Gguf;

namespace InferenceServer.Models.Configuration;

/// <summary>The tokenizer.* keys of a GGUF file: tables, special tokens, chat template.</summary>
internal static class GgufTokenizer
{
    public const string BosKey = "tokenizer.ggml.bos_token_id";

    private const string EosKey = "tokenizer.ggml.eos_token_id", ScoresKey = "tokenizer.ggml.scores", TypesKey = "tokenizer.ggml.token_type";
    private const string TemplateKey = "tokenizer.chat_template";

    /// <summary>No vocabulary has more merges than a few for each token.</summary>
    private const int MaxMerges = 4 * ConfigReader.MaxVocabulary;

    private const int ControlType = 3, UserDefinedType = 4;

    /// <summary>
    /// Tokens that end a turn or a text in the models that are served, whether or not a key says so: a file has one key for the end, and
    /// generation_config.json of the same models names two or three.
    /// </summary>
    private static readonly string[] EndTexts = ["<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|im_end|>", "<|endoftext|>"];

    /// <summary>Null if the file has no tokenizer.</summary>
    /// <exception cref="ModelLoadException">Lists of different lengths, or an id that is no token.</exception>
    public static TokenizerTables? Tables(GgufMetadata metadata)
    {
        if (metadata.TextsOrNull("tokenizer.ggml.tokens", ConfigReader.MaxVocabulary) is not { } tokens) return null;
        int last = tokens.Count - 1;
        return new TokenizerTables
        {
            Source = metadata.Path,
            Model = metadata.Text("tokenizer.ggml.model"),
            Pre = metadata.TextOrNull("tokenizer.ggml.pre"),
            Tokens = tokens,
            Scores = PerToken(ScoresKey, metadata.FloatsOrNull(ScoresKey, ConfigReader.MaxVocabulary)),
            Types = PerToken(TypesKey, metadata.IntsOrNull(TypesKey, ConfigReader.MaxVocabulary)),
            Merges = metadata.TextsOrNull("tokenizer.ggml.merges", MaxMerges) ?? [],
            BosToken = metadata.IntOrNull(BosKey, 0, last),
            EosToken = metadata.IntOrNull(EosKey, 0, last),
            UnknownToken = metadata.IntOrNull("tokenizer.ggml.unknown_token_id", 0, last),
            AddBos = metadata.BoolOrNull("tokenizer.ggml.add_bos_token"),
            AddEos = metadata.BoolOrNull("tokenizer.ggml.add_eos_token"),
            AddSpacePrefix = metadata.BoolOrNull("tokenizer.ggml.add_space_prefix"),
        };

        IReadOnlyList<T> PerToken<T>(string key, IReadOnlyList<T>? list) =>
            list is null || list.Count == tokens.Count ? list ?? [] : throw metadata.Wrong(key, $"one item for each of the {tokens.Count} tokens");
    }

    /// <summary>Any of these ends a completion.</summary>
    public static IReadOnlyList<int> EndTokens(GgufMetadata metadata, TokenizerTables? tables, int vocabulary)
    {
        List<int> ends = [];
        foreach (string key in new[] { EosKey, "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id" })
            if (metadata.IntOrNull(key, 0, vocabulary - 1) is { } id) ends.Add(id);
        for (int id = 0; id < Math.Min(tables?.Types.Count ?? 0, vocabulary); id++)
            if (tables!.Types[id] is ControlType or UserDefinedType && EndTexts.Contains(tables.Tokens[id])) ends.Add(id);
        return [.. ends.Distinct()];
    }

    /// <summary>The default template; of several named ones it is the one without a name.</summary>
    public static TokenizerSettings Settings(GgufMetadata metadata, TokenizerTables? tables) => new()
    {
        ChatTemplate = metadata.TextOrNull(TemplateKey) ?? metadata.TextOrNull(TemplateKey + ".default"),
        BosText = tables?.BosToken is { } bos ? tables.Tokens[bos] : null,
        EosText = tables?.EosToken is { } eos ? tables.Tokens[eos] : null,
    };
}
