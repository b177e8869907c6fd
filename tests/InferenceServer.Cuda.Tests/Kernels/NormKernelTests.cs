using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Tests.Plain;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>Residual addition and RMSNorm against the plain ones.</summary>
public class NormKernelTests
{
    private const float Epsilon = 1e-5f;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 7)]
    [InlineData(3, 64)]
    [InlineData(1, 172)]
    [InlineData(2, 2048)]
    [InlineData(1, 8193)]
    [InlineData(1, 20_001)]
    public void Rows_match_the_plain_norm(int rows, int columns)
    {
        foreach (ElementType precision in new[] { ElementType.BF16, ElementType.F16 })
            foreach (bool delta in new[] { true, false }) Check(rows, columns, precision, delta);
    }

    internal static void Check(int rows, int columns, ElementType precision, bool withDelta, KernelSource? source = null)
    {
        Random random = new(rows + columns);
        int stride = Numbers.Stride(columns), residualStride = stride + 8, deltaStride = stride + 16, outStride = stride + 8;
        float[] residual = Numbers.Rows(random, rows, columns, residualStride, ElementType.F32), gain = Numbers.Rows(random, 1, columns, columns, ElementType.F32);
        for (int i = 0; i < residual.Length; i++) // nobody writes the padding of the residual stream
            if (i % residualStride >= columns) residual[i] = float.NaN;
        float[] delta = Numbers.Rows(random, rows, columns, deltaStride, precision);
        using KernelRig rig = new(source);
        NormParams parameters = new()
        {
            Residual = rig.Upload<float>(residual),
            Delta = withDelta ? rig.Upload<ushort>(KernelRig.Narrow(delta, precision)) : 0,
            Gain = rig.Upload<float>(gain),
            Out = rig.Allocate(rows * outStride * 2),
            Columns = columns,
            ResidualStride = residualStride,
            DeltaStride = deltaStride,
            OutStride = outStride,
            Epsilon = Epsilon,
        };
        new NormKernel(rig.Library, precision).Launch(rig.Stream, parameters, rows);

        double[] sums = new double[rows * columns], expected = new double[rows * columns];
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++) sums[r * columns + c] = residual[r * residualStride + c] + (withDelta ? (double)delta[r * deltaStride + c] : 0);
            PlainNorm.Rms(sums.AsSpan(r * columns, columns), gain, Epsilon).CopyTo(expected, r * columns);
        }

        float[] y = KernelRig.Widen(rig.Download<ushort>(parameters.Out, rows * outStride), precision);
        float[] left = rig.Download<float>(parameters.Residual, rows * residualStride);
        Numbers.AssertClose(expected, y, rows, columns, outStride, Numbers.Tolerance(precision), $"norm of {rows} x {columns} {precision}, delta {withDelta}");
        Numbers.AssertClose(sums, left, rows, columns, residualStride, Numbers.WideTolerance, $"residual of {rows} x {columns} {precision}, delta {withDelta}");
        Numbers.AssertPadding(y, rows, columns, outStride, outStride);
    }
}
