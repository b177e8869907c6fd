namespace InferenceServer.Models.Configuration;

/// <summary>A decoder's config.json, validated: every number is positive, bounded and divides what it must. Immutable.</summary>
public sealed record ModelConfig
{
    /// <summary>Hugging Face's class name, such as LlamaForCausalLM.</summary>
    public required string Architecture { get; init; }

    public required int VocabularySize { get; init; }

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int Layers { get; init; }

    public required int Heads { get; init; }

    /// <summary>Divides <see cref="Heads"/>.</summary>
    public required int KvHeads { get; init; }

    /// <summary>Even. Heads * HeadDim need not be HiddenSize (Qwen3).</summary>
    public required int HeadDim { get; init; }

    /// <summary>max_position_embeddings, in tokens.</summary>
    public required int MaxPositions { get; init; }

    public required float NormEpsilon { get; init; }

    public required double RopeTheta { get; init; }

    public required RopeScaling RopeScaling { get; init; }

    /// <summary>The embedding is the output head too.</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>Biases in attention, where the architecture leaves it to the config.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>sliding_window as written, in tokens; 0 if null. Whether it applies is the architecture's to say.</summary>
    public int SlidingWindow { get; init; }

    /// <summary>Null if not written.</summary>
    public bool? UseSlidingWindow { get; init; }

    /// <summary>First layer with a sliding window (Qwen); null if not written.</summary>
    public int? MaxWindowLayers { get; init; }

    /// <summary>"full_attention" or "sliding_attention" for each layer; null if not written.</summary>
    public IReadOnlyList<string>? LayerTypes { get; init; }

    /// <summary>bos_token_id; null if there is none.</summary>
    public int? BosToken { get; init; }

    /// <summary>eos_token_id; empty if there is none.</summary>
    public IReadOnlyList<int> EosTokens { get; init; } = [];

    /// <summary>
    /// Longest context that can be served. Linear and dynamic scaling reach Factor times beyond max_position_embeddings;
    /// Llama 3's is already in it.
    /// </summary>
    public int LongestContext => RopeScaling.Kind is RopeScalingKind.Linear or RopeScalingKind.Dynamic
        ? (int)Math.Min(MaxPositions * RopeScaling.Factor, ConfigReader.MaxContext)
        : MaxPositions;

    /// <summary>
    /// Context served when none is asked for. Dynamic scaling costs accuracy on short texts, so it is used only on request.
    /// </summary>
    public int NativeContext => RopeScaling.Kind == RopeScalingKind.Dynamic ? MaxPositions : LongestContext;
}
