using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Tests.Plain;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>GEMV and GEMM against the plain product, over odd sizes.</summary>
public class ProductKernelTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 64, 64)]
    [InlineData(1, 33, 172)]
    [InlineData(2, 50, 300)]
    [InlineData(3, 17, 1030)]
    [InlineData(4, 9, 520)]
    [InlineData(5, 40, 264)]
    [InlineData(7, 23, 96)]
    [InlineData(8, 70, 600)]
    public void A_few_rows_match_the_plain_product(int m, int n, int k)
    {
        foreach (ElementType precision in new[] { ElementType.BF16, ElementType.F16 })
            foreach (bool wide in new[] { false, true })
                Check(m, n, k, precision, wide, bias: wide, gemm: null);
    }

    [Theory]
    [InlineData(1, 8, 8, 0)]
    [InlineData(9, 64, 64, 0)]
    [InlineData(16, 65, 200, 0)]
    [InlineData(17, 130, 172, 1)]
    [InlineData(32, 63, 129, 1)]
    [InlineData(50, 129, 320, 2)]
    [InlineData(64, 128, 64, 2)]
    [InlineData(100, 200, 96, 3)]
    [InlineData(130, 136, 264, 3)]
    public void Many_rows_match_the_plain_product(int m, int n, int k, int tile)
    {
        foreach (ElementType precision in new[] { ElementType.BF16, ElementType.F16 })
            Check(m, n, k, precision, wide: precision == ElementType.F16, bias: precision == ElementType.BF16, new GemmPlan(tile, 1));
    }

    [Theory]
    [InlineData(9, 64, 1030, 0, 2)]
    [InlineData(33, 72, 640, 1, 3)]
    [InlineData(64, 130, 1536, 2, 8)]
    public void Pieces_of_k_add_up(int m, int n, int k, int tile, int splits) => Check(m, n, k, ElementType.BF16, wide: true, bias: true, new GemmPlan(tile, splits));

    internal static void Check(int m, int n, int k, ElementType precision, bool wide, bool bias, GemmPlan? gemm, KernelSource? source = null)
    {
        Random random = new(m * 1000 + n + k);
        int xStride = Numbers.Stride(k) + 8, wStride = xStride + 8, yStride = Numbers.Stride(n) + 8;
        float[] x = Numbers.Operand(random, m, k, xStride, precision), w = Numbers.Operand(random, n, k, wStride, precision);
        float[]? b = bias ? Numbers.Rows(random, 1, n, n, ElementType.F32) : null;
        using KernelRig rig = new(source);
        LinearParams parameters = new()
        {
            X = rig.Upload<ushort>(KernelRig.Narrow(x, precision)),
            W = rig.Upload<ushort>(KernelRig.Narrow(w, precision)),
            Bias = b is null ? 0 : rig.Upload<float>(b),
            Y = rig.Allocate(m * yStride * (wide ? 4 : 2)),
            M = m,
            N = n,
            K = k,
            XStride = xStride,
            WStride = wStride,
            YStride = yStride,
            YF32 = wide ? 1 : 0,
            Splits = gemm?.Splits ?? 1,
        };
        if (gemm is { Splits: > 1 } split)
        {
            parameters.Partial = rig.Allocate(split.WorkspaceBytes(m, n));
            parameters.Counters = rig.Zeros(split.Blocks(m, n) * sizeof(int));
        }

        double[] expected = PlainProducts.Project(x, w, b, m, n, k, xStride, wStride);
        for (int launch = 0; launch < (gemm is { Splits: > 1 } ? 2 : 1); launch++) // the second finds the counters as the first left them
        {
            if (gemm is { } plan) new GemmKernel(rig.Library, precision).Launch(rig.Stream, parameters, plan);
            else new GemvKernel(rig.Library, precision).Launch(rig.Stream, parameters);
            float[] y = wide ? rig.Download<float>(parameters.Y, m * yStride) : KernelRig.Widen(rig.Download<ushort>(parameters.Y, m * yStride), precision);
            Numbers.AssertClose(expected, y, m, n, yStride, wide ? Numbers.WideTolerance : Numbers.Tolerance(precision), $"{m} x {n} x {k} {precision}, f32 out {wide}");
            Numbers.AssertPadding(y, m, n, yStride, Numbers.Stride(n));
        }

        if (parameters.Counters != 0) Assert.All(rig.Download<int>(parameters.Counters, (int)gemm!.Value.Blocks(m, n)), count => Assert.Equal(0, count));
    }

    [Theory]
    [InlineData(1, 172, 64)]
    [InlineData(2, 20, 300)]
    [InlineData(3, 33, 96)]
    [InlineData(8, 50, 520)]
    public void Gate_and_up_are_computed_together(int m, int intermediate, int k)
    {
        foreach (ElementType precision in new[] { ElementType.BF16, ElementType.F16 }) CheckGateUp(m, intermediate, k, precision);
    }

    internal static void CheckGateUp(int m, int intermediate, int k, ElementType precision, KernelSource? source = null)
    {
        Random random = new(m + intermediate);
        int xStride = Numbers.Stride(k) + 8, wStride = xStride + 8, yStride = Numbers.Stride(intermediate);
        float[] x = Numbers.Operand(random, m, k, xStride, precision), w = Numbers.Operand(random, 2 * intermediate, k, wStride, precision, 0.2f);
        using KernelRig rig = new(source);
        GateUpParams parameters = new()
        {
            X = rig.Upload<ushort>(KernelRig.Narrow(x, precision)),
            W = rig.Upload<ushort>(KernelRig.Narrow(w, precision)),
            Y = rig.Allocate(m * yStride * 2),
            M = m,
            Intermediate = intermediate,
            K = k,
            XStride = xStride,
            WStride = wStride,
            YStride = yStride,
        };
        new GemvKernel(rig.Library, precision).LaunchGateUp(rig.Stream, parameters);
        float[] y = KernelRig.Widen(rig.Download<ushort>(parameters.Y, m * yStride), precision);
        double[] expected = PlainProducts.SiluMul(PlainProducts.Project(x, w, null, m, 2 * intermediate, k, xStride, wStride), m, intermediate);
        Numbers.AssertClose(expected, y, m, intermediate, yStride, Numbers.Tolerance(precision), $"{m} x {intermediate} x {k} {precision}");
        Numbers.AssertPadding(y, m, intermediate, yStride, yStride);
    }
}
