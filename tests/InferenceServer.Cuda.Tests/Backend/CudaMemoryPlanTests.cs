namespace InferenceServer.Cuda.Tests.Backend;

public sealed class CudaMemoryPlanTests
{
    private const long GiB = 1L << 30;

    private static readonly CudaModelSizes Llama8B = new() { Layers = 32, HiddenSize = 4096, IntermediateSize = 14336, Heads = 32, KvHeads = 8, HeadDim = 128, VocabularySize = 128256 };
    private static readonly CudaOptions Limits = new() { MaxTokensPerStep = 2048, MaxSequencesPerStep = 256, MaxRowsPerStep = 256, ContextLength = 8192 };
    private static readonly (long Free, long Total, int SmCount) H200 = (139 * GiB, 140 * GiB, 132);

    [Fact]
    public void An_8B_model_leaves_most_of_an_H200_to_the_KV_pool()
    {
        CudaMemoryPlan plan = CudaMemoryPlan.Compute(H200, Llama8B, Limits, 16);
        Assert.InRange(plan.WeightBytes, 16_060_000_000, 16_070_000_000); // 8.03 G parameters of two bytes, and the rotary table
        Assert.InRange(plan.WorkspaceBytes, 200L << 20, 700L << 20);
        Assert.Equal((long)(140 * GiB * 0.9) - plan.WeightBytes - plan.WorkspaceBytes, plan.KvBytes);
    }

    [Fact]
    public void A_limit_is_a_share_up_to_1_and_bytes_above()
    {
        long half = CudaMemoryPlan.Compute(H200, Llama8B, Limits, 16, gpuMemory: 0.5).KvBytes;
        Assert.Equal(half, CudaMemoryPlan.Compute(H200, Llama8B, Limits, 16, gpuMemory: 70 * GiB).KvBytes);
        Assert.Equal(3 * GiB, CudaMemoryPlan.Compute(H200, Llama8B, Limits, 16, kvMemory: 3 * GiB).KvBytes);
    }

    [Fact]
    public void A_share_gives_way_to_what_others_hold_and_bytes_are_refused()
    {
        (long, long, int) shared = (40 * GiB, 140 * GiB, 132);
        CudaMemoryPlan plan = CudaMemoryPlan.Compute(shared, Llama8B, Limits, 16);
        Assert.InRange(plan.WeightBytes + plan.WorkspaceBytes + plan.KvBytes, 39 * GiB, 40 * GiB);
        string message = Assert.Throws<CudaMemoryException>(() => CudaMemoryPlan.Compute(shared, Llama8B, Limits, 16, gpuMemory: 100 * GiB)).Message;
        Assert.StartsWith("--gpu-memory asks for 102400.0 MiB, and 40550.4 MiB of the GPU's 143360.0 MiB can be used now.", message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_does_not_fit_is_told_with_sizes_and_flags()
    {
        (long, long, int) small = (15 * GiB, 16 * GiB, 108);
        string message = Assert.Throws<CudaMemoryException>(() => CudaMemoryPlan.Compute(small, Llama8B, Limits, 16)).Message;
        Assert.Contains("its weights take 15322.3 MiB", message, StringComparison.Ordinal);
        Assert.Contains("more than the 14745.6 MiB that may be used of the GPU's 16384.0 MiB (15360.0 MiB are free)", message, StringComparison.Ordinal);
        foreach (string flag in new[] { "--kv-memory", "--context-length", "--max-running", "--tokens-per-step", "--gpu-memory" }) Assert.Contains(flag, message, StringComparison.Ordinal);
        Assert.Throws<CudaMemoryException>(() => CudaMemoryPlan.Compute(H200, Llama8B, Limits, 16, kvMemory: 130 * GiB));
        Assert.Throws<ArgumentOutOfRangeException>(() => CudaMemoryPlan.Compute(H200, Llama8B, Limits, 16, gpuMemory: 0));
    }
}
