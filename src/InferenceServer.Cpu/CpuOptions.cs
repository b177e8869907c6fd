namespace InferenceServer.Cpu;

/// <summary>How the CPU backend uses the machine. Immutable after start.</summary>
public sealed record CpuOptions
{
    /// <summary>Threads that compute, the engine's own included; 0 = every processor that this process may use (a container's limit counts).</summary>
    public int Threads { get; init; }

    /// <summary>Ask the kernel for 2 MB pages under large buffers (2-9 % faster reads of weights; ignored where unknown).</summary>
    public bool HugePages { get; init; } = true;

    /// <summary>How keys and values are stored.</summary>
    public KvType KvType { get; init; } = KvType.F32;

    internal int EffectiveThreads => Threads == 0 ? Environment.ProcessorCount : Threads;
}
