using InferenceServer.Cuda.Blas;
using InferenceServer.Cuda.Steps;

namespace InferenceServer.Cuda;

/// <summary>
/// How a GPU's memory is divided before anything is loaded: weights and workspace follow from the model and the limits of a step, and the KV pool
/// gets the rest of what may be used.
/// </summary>
/// <param name="WeightBytes">For <see cref="CudaOptions.WeightBytes"/>.</param>
/// <param name="WorkspaceBytes">For <see cref="CudaOptions.WorkspaceBytes"/>.</param>
/// <param name="KvBytes">For the KV pool.</param>
public sealed record CudaMemoryPlan(long WeightBytes, long WorkspaceBytes, long KvBytes)
{
    /// <summary>Default of --gpu-memory: vLLM's gpu_memory_utilization.</summary>
    public const double DefaultShare = 0.9;

    /// <summary>What a driver keeps for graphs and local memory beside our three arenas, of the free memory: a hundredth, 1.4 GiB of an H200.</summary>
    private const int DriverShare = 100;

    /// <param name="device">Its free memory is looked at now, before anything is loaded.</param>
    /// <param name="model">Its sizes.</param>
    /// <param name="limits">Sizes of a step and the context length; the byte fields are not read.</param>
    /// <param name="blockSize">Tokens a KV block.</param>
    /// <param name="gpuMemory">--gpu-memory: up to 1 a share of the total, above 1 bytes; null for <see cref="DefaultShare"/>.</param>
    /// <param name="kvMemory">--kv-memory: bytes for the KV pool; null for the rest.</param>
    /// <exception cref="CudaMemoryException">It does not fit: what was asked, what is free, which flag helps.</exception>
    public static CudaMemoryPlan Compute(CudaDevice device, CudaModelSizes model, CudaOptions limits, int blockSize, double? gpuMemory = null, long? kvMemory = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        long blas = device.Blas is null ? 0 : CublasLt.WorkspaceBytesAdvised;
        return Compute((device.FreeBytes, device.TotalBytes, device.Context.SmCount), model, limits, blockSize, gpuMemory, kvMemory, blas);
    }

    internal static CudaMemoryPlan Compute((long Free, long Total, int SmCount) device, CudaModelSizes model, CudaOptions limits, int blockSize, double? gpuMemory = null, long? kvMemory = null, long blasBytes = 0)
    {
        (long freeBytes, long totalBytes, int smCount) = device;
        double asked = gpuMemory ?? DefaultShare;
        if (!(asked > 0)) throw new ArgumentOutOfRangeException(nameof(gpuMemory), $"--gpu-memory is {asked}; expected a share up to 1, or bytes.");
        long usable = freeBytes - freeBytes / DriverShare;
        long budget = asked <= 1 ? (long)(totalBytes * asked) : (long)asked;
        if (asked > 1 && budget > usable)
            throw new CudaMemoryException($"--gpu-memory asks for {Mib(budget)}, and {Mib(usable)} of the GPU's {Mib(totalBytes)} can be used now. Lower it, or end what else uses the GPU.");

        budget = Math.Min(budget, usable);
        long weights = model.WeightBytes(limits.ContextLength);
        long workspace = model.ActivationBytes(limits.MaxTokensPerStep, limits.MaxRowsPerStep)
            + StepBuffers.Bytes(model, limits, blockSize, smCount) + StepKernels.Bytes(model, limits, smCount) + blasBytes;
        long rest = budget - weights - workspace, block = model.KvBytesPerToken * blockSize, kv = kvMemory ?? rest;
        if (kv > rest || kv < block)
            throw new CudaMemoryException(
                $"The model does not fit: its weights take {Mib(weights)}, the buffers of a step {Mib(workspace)} and the KV pool {(kvMemory is null ? "at least " : "")}{Mib(Math.Max(kv, block))}, "
                + $"together more than the {Mib(budget)} that may be used of the GPU's {Mib(totalBytes)} ({Mib(freeBytes)} are free). "
                + $"{char.ToUpperInvariant(CudaMemoryException.Flags[0])}{CudaMemoryException.Flags[1..]}.");
        return new CudaMemoryPlan(weights, workspace, kv);
    }

    private static string Mib(long bytes) => CudaMemoryException.Mebibytes(bytes);
}
