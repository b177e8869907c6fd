using InferenceServer.Core.Compute;

namespace InferenceServer.Cuda;

/// <summary>What a CUDA backend holds and how large a step may be. Immutable after start; sizes usually come from a <see cref="CudaMemoryPlan"/>.</summary>
public sealed record CudaOptions
{
    /// <summary>BF16 or F16: weights, keys, values and what flows between kernels. The residual stream and logits are F32.</summary>
    public ElementType Precision { get; init; } = ElementType.BF16;

    /// <summary>Taken from the device at once for weights; what does not fit is taken piece by piece.</summary>
    public long WeightBytes { get; init; }

    /// <summary>Taken from the device at once for activations, step inputs and scratch; what does not fit is taken piece by piece.</summary>
    public long WorkspaceBytes { get; init; }

    public int MaxTokensPerStep { get; init; } = 512;

    public int MaxSequencesPerStep { get; init; } = 64;

    public int MaxRowsPerStep { get; init; } = 64;

    /// <summary>Prompt plus completion, in tokens: bounds the block table of one sequence.</summary>
    public int ContextLength { get; init; } = 4096;

    internal void Check()
    {
        if (Precision is not (ElementType.BF16 or ElementType.F16))
            throw new ArgumentException($"The CUDA backend computes in BF16 or F16, not in {Precision}.");
        if (WeightBytes < 0 || WorkspaceBytes < 0 || MaxTokensPerStep < 1 || MaxSequencesPerStep < 1 || MaxRowsPerStep < 1 || ContextLength < 1)
            throw new ArgumentException($"Sizes of the CUDA backend must be positive: {this}.");
    }
}
