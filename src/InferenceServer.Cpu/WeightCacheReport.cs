namespace InferenceServer.Cpu;

/// <summary>What a load took from a weights cache and left in it. Immutable.</summary>
public sealed record WeightCacheReport
{
    /// <summary>The file of this model, precision and layout.</summary>
    public required string Path { get; init; }

    /// <summary>Bytes of matrices that lie in the file and were not repacked.</summary>
    public required long BytesFound { get; init; }

    /// <summary>Bytes of matrices that were repacked.</summary>
    public required long BytesRepacked { get; init; }

    /// <summary>Was the file written, for the next start?</summary>
    public required bool Written { get; init; }

    /// <summary>Sentences: a file that was no good, a folder that cannot be written.</summary>
    public required IReadOnlyList<string> Troubles { get; init; }
}
