namespace InferenceServer.Models.Running;

/// <summary>How much of the machine a model may use. Immutable after start.</summary>
public sealed record RunnerOptions
{
    /// <summary>Tokens a KV block; vLLM's default.</summary>
    public int BlockSize { get; init; } = 16;

    /// <summary>Blocks in the KV pool; null: what <see cref="KvBytes"/> holds.</summary>
    public int? BlockCount { get; init; }

    /// <summary>
    /// Bytes for the KV pool when <see cref="BlockCount"/> is null; not more is taken than
    /// <see cref="MaxSequencesPerStep"/> whole contexts need.
    /// </summary>
    public long KvBytes { get; init; } = 512L << 20;

    /// <summary>Bytes in which the backend stores one number of a key or value. Not used where <see cref="KvBlockBytes"/> is given.</summary>
    public int KvElementBytes { get; init; } = 4;

    /// <summary>Bytes of one KV block in all layers, for a backend that pads or keeps scales beside its numbers; null: what <see cref="KvElementBytes"/> gives.</summary>
    public long? KvBlockBytes { get; init; }

    public int MaxTokensPerStep { get; init; } = 512;

    public int MaxSequencesPerStep { get; init; } = 64;

    /// <summary>At least <see cref="MaxSequencesPerStep"/>; more allows several prompt log-probabilities a step.</summary>
    public int MaxRowsPerStep { get; init; } = 64;

    /// <summary>Prompt plus completion, in tokens. Null: the model's own, or what the KV pool holds if that is less.</summary>
    public int? ContextLength { get; init; }
}
