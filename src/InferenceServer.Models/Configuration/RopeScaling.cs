namespace InferenceServer.Models.Configuration;

/// <summary>How rotary frequencies are stretched beyond the context a model was trained on.</summary>
public enum RopeScalingKind
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Positions divided by Factor (Chen et al. 2023, "Extending context window via positional interpolation").</summary>
    Linear,

    /// <summary>The base grows with the context ("NTK-aware", bloc97 2023).</summary>
    Dynamic,

    /// <summary>Low frequencies divided by Factor, high ones kept, a ramp between (Llama 3.1).</summary>
    Llama3,
}

/// <summary>The rope_scaling (or, since transformers 5, rope_parameters) object of config.json.</summary>
public sealed record RopeScaling
{
    public static readonly RopeScaling None = new();

    public RopeScalingKind Kind { get; init; }

    public double Factor { get; init; } = 1;

    /// <summary>Llama3 only.</summary>
    public double LowFrequencyFactor { get; init; } = 1;

    /// <summary>Llama3 only.</summary>
    public double HighFrequencyFactor { get; init; } = 4;

    /// <summary>Llama3 only: the context of the original training, in tokens.</summary>
    public int OriginalPositions { get; init; }

    /// <summary>What each frequency is divided by besides, (headDim / 2); null for nothing. GGUF files carry Llama 3's scaling so.</summary>
    public IReadOnlyList<float>? Factors { get; init; }
}
