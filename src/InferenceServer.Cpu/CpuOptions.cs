using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu;

/// <summary>Bits that a model's float weights are kept in. A row that is not a whole number of a format's blocks stays as it is stored.</summary>
public enum WeightPrecision
{
    AsStored,

    /// <summary>Everything widened, quantized weights too: what other precisions are measured against.</summary>
    F32,

    BF16,

    /// <summary>A signed byte each, one f16 scale for 32 (GGUF's Q8_0).</summary>
    Q8,

    /// <summary>Four bits each, one f16 scale for 32 (GGUF's Q4_0); embedding and head, which cost most accuracy, as <see cref="Q8"/>.</summary>
    Q4,
}

/// <summary>How the CPU backend uses the machine. Immutable after start.</summary>
public sealed record CpuOptions
{
    /// <summary>Threads that compute, the engine's own included; 0 = one for each core that this process may use (a container's limit counts), not for each hyper-thread.</summary>
    public int Threads { get; init; }

    /// <summary>Ask the kernel for 2 MB pages under large buffers (2-9 % faster reads of weights; ignored where unknown).</summary>
    public bool HugePages { get; init; } = true;

    /// <summary>How keys and values are stored.</summary>
    public KvType KvType { get; init; } = KvType.F32;

    /// <summary>What weights stored as floats are converted to at load; quantized ones stay as they are, except for <see cref="WeightPrecision.F32"/>.</summary>
    public WeightPrecision Weights { get; init; }

    /// <summary>Keep repacked weights on the disk; null: repack them at each start.</summary>
    public WeightCacheOptions? WeightCache { get; init; }

    internal int EffectiveThreads => Threads == 0 ? CpuTopology.OfThisMachine.DefaultThreads(Environment.ProcessorCount) : Threads;
}
