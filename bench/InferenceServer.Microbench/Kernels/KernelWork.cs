using BenchmarkDotNet.Running;

namespace InferenceServer.Microbench.Kernels;

/// <summary>What a kernel case reads and computes, for the rate columns.</summary>
internal static class KernelWork
{
    public static double? BytesOf(BenchmarkCase one)
    {
        if (one.Descriptor.Type == typeof(ProjectBench)) return ProjectBench.Bytes((string)one.Parameters[nameof(ProjectBench.Format)]);
        if (one.Descriptor.Type == typeof(PagedAttentionBench)) return PagedAttentionBench.BytesOf((string)one.Parameters[nameof(PagedAttentionBench.Step)]);
        return null;
    }

    public static double? FlopsOf(BenchmarkCase one)
    {
        if (one.Descriptor.Type == typeof(ProjectBench)) return ProjectBench.Flops((int)one.Parameters[nameof(ProjectBench.Rows)]);
        if (one.Descriptor.Type == typeof(PagedAttentionBench)) return PagedAttentionBench.FlopsOf((string)one.Parameters[nameof(PagedAttentionBench.Step)]);
        return null;
    }
}
