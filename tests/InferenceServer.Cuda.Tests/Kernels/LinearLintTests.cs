using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.StandIn.Ptx;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>Budgets of memory traffic that the stand-in counts exactly: no bank conflicts in GEMM, weights read once and in whole sectors.</summary>
public class LinearLintTests(ITestOutputHelper output)
{
    private const int N = 256, K = 1024, SectorBytes = 32;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Gemm_meets_no_bank_twice_and_reads_whole_sectors(int tile)
    {
        using KernelRig rig = new(profile: true);
        GemmTile size = GemmTile.All[tile];
        new GemmKernel(rig.Library, ElementType.BF16).Launch(rig.Stream, Parameters(rig, size.Rows), new GemmPlan(tile, 1));
        LaunchCounters counters = Finish(rig, $"gemm_bf16_{size.Name}");
        Assert.Equal(counters.SharedIdealWavefronts, counters.SharedWavefronts);
        IReadOnlyList<InstructionCounters> copies = Rows(counters, "cp.async.cg");
        Assert.Equal(copies.Sum(c => c.Ideal), copies.Sum(c => c.Transfers));
        Assert.True(Rows(counters, "ldmatrix").Sum(c => c.Requests) > 0);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void Gemv_reads_every_weight_once(int m)
    {
        using KernelRig rig = new(profile: true);
        new GemvKernel(rig.Library, ElementType.BF16).Launch(rig.Stream, Parameters(rig, m));
        CheckWeights(Finish(rig, $"gemv_bf16_m{Size(m)}"), N);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public void Gate_and_up_are_read_once(int m)
    {
        using KernelRig rig = new(profile: true);
        LinearParams p = Parameters(rig, m);
        GateUpParams parameters = new() { X = p.X, W = p.W, Y = p.Y, M = m, Intermediate = N / 2, K = K, XStride = K, WStride = K, YStride = N };
        new GemvKernel(rig.Library, ElementType.BF16).LaunchGateUp(rig.Stream, parameters);
        CheckWeights(Finish(rig, $"gemv_gateup_bf16_m{Size(m)}"), N);
    }

    private static int Size(int m) => m == 3 ? 4 : m;

    private void CheckWeights(LaunchCounters counters, int rows)
    {
        IReadOnlyList<InstructionCounters> loads = Rows(counters, "ld.global.nc");
        long sectors = loads.Sum(c => c.Transfers);
        output.WriteLine($"{sectors} sectors of weights in {loads.Sum(c => c.Requests)} requests");
        Assert.Equal(loads.Sum(c => c.Ideal), sectors);
        Assert.Equal((long)rows * K * sizeof(ushort) / SectorBytes, sectors);
    }

    private static LinearParams Parameters(KernelRig rig, int m) => new()
    {
        X = rig.Zeros(m * K * sizeof(ushort)),
        W = rig.Zeros(N * K * sizeof(ushort)),
        Y = rig.Allocate(m * N * sizeof(ushort)),
        M = m,
        N = N,
        K = K,
        XStride = K,
        WStride = K,
        YStride = N,
        Splits = 1,
    };

    private static LaunchCounters Finish(KernelRig rig, string kernel)
    {
        rig.Stream.Synchronize();
        return rig.Device.Counters(kernel);
    }

    private static IReadOnlyList<InstructionCounters> Rows(LaunchCounters counters, string text) =>
        [.. counters.Instructions.Where(c => c.Text.Contains(text, StringComparison.Ordinal))];
}
