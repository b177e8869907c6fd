namespace InferenceServer.Cuda;

/// <summary>What tests set differently, and nobody else.</summary>
internal sealed record CudaTuning
{
    /// <summary>Each of the two staging buffers for weights: a copy this long keeps the bus busy for most of a millisecond, beside which its start does not count.</summary>
    public long StagingBytes { get; init; } = 16L << 20;

    /// <summary>Every buffer a device allocation of its own, so that the stand-in sees a step past its end.</summary>
    public bool BuffersApart { get; init; }

    /// <summary>Off: every step runs op by op, to compare with.</summary>
    public bool Graphs { get; init; } = true;
}
