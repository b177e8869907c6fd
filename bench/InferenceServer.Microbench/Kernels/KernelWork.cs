using BenchmarkDotNet.Running;
using InferenceServer.Cpu;

namespace InferenceServer.Microbench.Kernels;

/// <summary>What a kernel case reads and computes, for the rate columns.</summary>
internal static class KernelWork
{
    public static double? BytesOf(BenchmarkCase one)
    {
        if (one.Descriptor.Type == typeof(ProjectBench)) return ProjectBench.Bytes((string)one.Parameters[nameof(ProjectBench.Format)]);
        if (one.Descriptor.Type == typeof(AttentionBench)) return AttentionBench.BytesOf((string)one.Parameters[nameof(AttentionBench.Step)], (KvType)one.Parameters[nameof(AttentionBench.Kv)]);
        return null;
    }

    public static double? FlopsOf(BenchmarkCase one)
    {
        if (one.Descriptor.Type == typeof(ProjectBench)) return ProjectBench.Flops((int)one.Parameters[nameof(ProjectBench.Rows)]);
        if (one.Descriptor.Type == typeof(AttentionBench)) return AttentionBench.FlopsOf((string)one.Parameters[nameof(AttentionBench.Step)]);
        return null;
    }
}
