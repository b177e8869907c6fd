using InferenceServer.Models.Architectures;
using InferenceServer.Models.Files;

namespace InferenceServer.Models.Configuration;

/// <summary>config.json to <see cref="ModelConfig"/>. Bounds keep products of sizes inside an int and refuse nonsense early.</summary>
internal static class ConfigReader
{
    /// <summary>16 M tokens: beyond any published model (Llama 4 Scout claims 10 M).</summary>
    public const int MaxContext = 1 << 24;

    // About ten times what the largest published dense model (Llama 3.1 405B: 16384, 53248, 126 layers, 128 heads) has.
    public const int MaxWidth = 1 << 19;
    public const int MaxLayers = 4096;
    public const int MaxHeads = 4096;
    public const int MaxHeadDim = 1024;
    public const int MaxVocabulary = 1 << 22;

    /// <exception cref="ModelLoadException">Names the field, its value and what was expected.</exception>
    public static ModelConfig Read(string path)
    {
        JsonFields json = JsonFields.ReadFile(path);
        Architecture architecture = ArchitectureTable.Find(ArchitectureName(json), path);
        RefuseUnsupported(json);

        int hidden = json.Int("hidden_size", 1, MaxWidth);
        int heads = json.Int("num_attention_heads", 1, MaxHeads);
        int kvHeads = json.IntOrNull("num_key_value_heads", 1, MaxHeads) ?? heads;
        if (heads % kvHeads != 0) throw json.Wrong("num_key_value_heads", $"a divisor of num_attention_heads = {heads}");
        int vocabulary = json.Int("vocab_size", 1, MaxVocabulary);
        return new ModelConfig
        {
            Architecture = architecture.Name,
            VocabularySize = vocabulary,
            HiddenSize = hidden,
            IntermediateSize = json.Int("intermediate_size", 1, MaxWidth),
            Layers = json.Int("num_hidden_layers", 1, MaxLayers),
            Heads = heads,
            KvHeads = kvHeads,
            HeadDim = ReadHeadDim(json, architecture, hidden, heads),
            MaxPositions = json.Int("max_position_embeddings", 1, MaxContext),
            NormEpsilon = (float)(json.NumberOrNull("rms_norm_eps", 0, 1) ?? 1e-6), // the default of all four config classes
            RopeTheta = RopeReader.Theta(json),
            RopeScaling = RopeReader.Scaling(json),
            TiedEmbeddings = json.BoolOrNull("tie_word_embeddings") ?? false,
            AttentionBias = json.BoolOrNull("attention_bias") ?? false,
            SlidingWindow = ReadWindow(json, architecture),
            UseSlidingWindow = json.BoolOrNull("use_sliding_window"),
            MaxWindowLayers = json.IntOrNull("max_window_layers", 0, MaxLayers),
            LayerTypes = ReadLayerTypes(json),
            BosToken = json.IntOrNull("bos_token_id", 0, vocabulary - 1),
            EosTokens = json.IntsOrNull("eos_token_id", 0, vocabulary - 1) ?? [],
        };
    }

    private static string ArchitectureName(JsonFields json)
    {
        IReadOnlyList<string>? names = json.TextsOrNull("architectures");
        return names is { Count: 1 } ? names[0] : throw json.Wrong("architectures", "a list of one class name, such as [\"LlamaForCausalLM\"]");
    }

    /// <summary>What would be ignored otherwise and give wrong tokens without a word.</summary>
    private static void RefuseUnsupported(JsonFields json)
    {
        if (json.Has("quantization_config"))
            throw json.Wrong("quantization_config", "no quantization: use the model's F32, F16 or BF16 weights");
        if (json.TextOrNull("hidden_act") is { } act and not "silu") throw json.Wrong("hidden_act", $"\"silu\", not \"{act}\"");
        if (json.BoolOrNull("mlp_bias") == true) throw json.Wrong("mlp_bias", "false: no published Llama has biases in its MLP, and they are not computed");
    }

    private static int ReadHeadDim(JsonFields json, Architecture architecture, int hidden, int heads)
    {
        int? written = json.IntOrNull("head_dim", 1, MaxHeadDim) ?? architecture.DefaultHeadDim;
        if (written is null && hidden % heads != 0) throw json.Wrong("hidden_size", $"a multiple of num_attention_heads = {heads}, as head_dim is not given");
        int headDim = written ?? hidden / heads;
        if (headDim % 2 != 0 || headDim > MaxHeadDim) throw json.Wrong("head_dim", $"an even number up to {MaxHeadDim}, as pairs of dimensions rotate");
        return headDim;
    }

    private static int ReadWindow(JsonFields json, Architecture architecture) => json.IsWritten("sliding_window")
        ? json.IntOrNull("sliding_window", 1, MaxContext) ?? 0
        : architecture.DefaultWindow;

    private static IReadOnlyList<string>? ReadLayerTypes(JsonFields json)
    {
        IReadOnlyList<string>? types = json.TextsOrNull("layer_types");
        if (types is null) return null;
        int layers = json.Int("num_hidden_layers", 1, MaxLayers);
        bool known = types.Count == layers && types.All(t => t is "full_attention" or "sliding_attention");
        return known ? types : throw json.Wrong("layer_types", $"{layers} times \"full_attention\" or \"sliding_attention\"");
    }
}
