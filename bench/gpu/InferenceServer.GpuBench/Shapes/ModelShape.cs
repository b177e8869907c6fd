namespace InferenceServer.GpuBench.Shapes;

/// <summary>A Llama as numbers: what its config.json would say and what follows from it for time and memory.</summary>
internal sealed record ModelShape(string Name, int Hidden, int Intermediate, int Layers, int Heads, int KvHeads, int HeadDim, int Vocabulary, bool TiedEmbeddings)
{
    public static ModelShape Llama8B { get; } = new("llama-3-8b", 4096, 14336, 32, 32, 8, 128, 128256, false);

    public static ModelShape Llama1B { get; } = new("llama-3.2-1b", 2048, 8192, 16, 32, 8, 64, 128256, true);

    /// <summary>For the stand-in driver, where a step of it takes a fraction of a second.</summary>
    public static ModelShape Tiny { get; } = new("tiny", 64, 128, 2, 4, 2, 32, 256, true);

    public static IReadOnlyList<ModelShape> All { get; } = [Llama8B, Llama1B, Tiny];

    /// <exception cref="ArgumentException">No shape of that name.</exception>
    public static ModelShape Find(string name) => All.FirstOrDefault(s => s.Name == name)
        ?? throw new ArgumentException($"'{name}' is no shape; choose one of {string.Join(", ", All.Select(s => s.Name))}.");

    public int QkvRows => (Heads + 2 * KvHeads) * HeadDim;

    /// <summary>Parameters of the matrices that a decode step reads whole: all of them but the embedding, and the head.</summary>
    public long StreamedParameters => (long)Layers * Matrices.Sum(m => (long)m.Rows * m.Columns) + (long)Vocabulary * Hidden;

    /// <summary>What has to be stored: the embedding counts once more if the head is a matrix of its own.</summary>
    public long StoredParameters => StreamedParameters + (TiedEmbeddings ? 0 : (long)Vocabulary * Hidden);

    /// <summary>Keys and values of one token in all layers, two bytes each.</summary>
    public long KvBytesPerToken => 2L * Layers * KvHeads * HeadDim * 2;

    /// <summary>A layer's projections: (outputs, inputs).</summary>
    public IReadOnlyList<(string Name, int Rows, int Columns)> Matrices =>
    [
        ("qkv", QkvRows, Hidden),
        ("o", Hidden, Heads * HeadDim),
        ("gate-up", 2 * Intermediate, Hidden),
        ("down", Hidden, Intermediate),
    ];

    /// <summary>The five shapes of a step's products: a layer's four, and the head.</summary>
    public IReadOnlyList<(string Name, int Rows, int Columns)> Products => [.. Matrices, ("head", Vocabulary, Hidden)];

    /// <summary>config.json, with the context of Llama 3.1 and 3.2, so that the longest prompts fit.</summary>
    public string ConfigJson => $$"""
        {
          "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "torch_dtype": "bfloat16",
          "hidden_size": {{Hidden}}, "intermediate_size": {{Intermediate}}, "num_hidden_layers": {{Layers}},
          "num_attention_heads": {{Heads}}, "num_key_value_heads": {{KvHeads}}, "head_dim": {{HeadDim}},
          "vocab_size": {{Vocabulary}}, "tie_word_embeddings": {{(TiedEmbeddings ? "true" : "false")}},
          "max_position_embeddings": 131072, "rms_norm_eps": 1e-05, "rope_theta": 500000.0,
          "attention_bias": false, "mlp_bias": false
        }
        """;
}
