using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Tests.Plain;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>What stands beside a library's product: SwiGLU and bias.</summary>
public class PointwiseKernelTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 172)]
    [InlineData(2, 1030)]
    [InlineData(2, 1024)]
    public void Silu_times_up_matches_the_plain_one(int rows, int intermediate)
    {
        foreach (ElementType precision in new[] { ElementType.BF16, ElementType.F16 }) CheckSilu(rows, intermediate, precision);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 172)]
    [InlineData(2, 263)]
    public void A_bias_is_added_to_every_row(int rows, int n)
    {
        foreach (ElementType precision in new[] { ElementType.BF16, ElementType.F16 }) CheckBias(rows, n, precision);
    }

    internal static void CheckSilu(int rows, int intermediate, ElementType precision, KernelSource? source = null)
    {
        int xStride = Numbers.Stride(2 * intermediate), yStride = Numbers.Stride(intermediate);
        float[] x = Numbers.Rows(new Random(intermediate), rows, 2 * intermediate, xStride, precision, scale: 3);
        using KernelRig rig = new(source);
        SiluParams parameters = new()
        {
            GateUp = rig.Upload<ushort>(KernelRig.Narrow(x, precision)),
            Y = rig.Allocate(rows * yStride * 2),
            Rows = rows,
            Intermediate = intermediate,
            XStride = xStride,
            YStride = yStride,
        };
        new SiluKernel(rig.Library, precision).Launch(rig.Stream, parameters);
        float[] y = KernelRig.Widen(rig.Download<ushort>(parameters.Y, rows * yStride), precision);
        double[] gateUp = Numbers.Packed(x, rows, 2 * intermediate, xStride);
        Numbers.AssertClose(PlainProducts.SiluMul(gateUp, rows, intermediate), y, rows, intermediate, yStride, Numbers.Tolerance(precision), $"silu of {rows} x {intermediate} {precision}");
        Numbers.AssertPadding(y, rows, intermediate, yStride, yStride);
    }

    internal static void CheckBias(int rows, int n, ElementType precision, KernelSource? source = null)
    {
        int stride = Numbers.Stride(n);
        Random random = new(n);
        float[] x = Numbers.Rows(random, rows, n, stride, precision), bias = Numbers.Rows(random, 1, n, n, ElementType.F32);
        using KernelRig rig = new(source);
        BiasParams parameters = new() { Y = rig.Upload<ushort>(KernelRig.Narrow(x, precision)), Bias = rig.Upload<float>(bias), Rows = rows, N = n, YStride = stride };
        new BiasKernel(rig.Library, precision).Launch(rig.Stream, parameters);
        double[] expected = Numbers.Packed(x, rows, n, stride);
        for (int i = 0; i < expected.Length; i++) expected[i] += bias[i % n];
        float[] y = KernelRig.Widen(rig.Download<ushort>(parameters.Y, rows * stride), precision);
        Numbers.AssertClose(expected, y, rows, n, stride, Numbers.Tolerance(precision), $"bias of {rows} x {n} {precision}");
        Numbers.AssertPadding(y, rows, n, stride, stride);
    }
}
