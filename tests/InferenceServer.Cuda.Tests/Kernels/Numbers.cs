using InferenceServer.Core.Compute;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>Random operands, and how far a result is from its twin.</summary>
internal static class Numbers
{
    /// <summary>The bounds that kernels are held to, relative to the twin's norm.</summary>
    public const double NarrowTolerance = 4e-3, HalfTolerance = 1e-3, WideTolerance = 1e-5;

    public static double Tolerance(ElementType precision) => precision == ElementType.BF16 ? NarrowTolerance : HalfTolerance;

    /// <summary>Rows of normal numbers, rounded to the precision, with zeros up to the stride.</summary>
    public static float[] Rows(Random random, int rows, int columns, int stride, ElementType precision, float scale = 1)
    {
        float[] values = new float[rows * stride];
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++) values[r * stride + c] = Normal(random) * scale;
        return precision == ElementType.F32 ? values : KernelRig.Widen(KernelRig.Narrow(values, precision), precision);
    }

    /// <summary>An operand of a product: k is read rounded up to 8, and what lies behind that must not count.</summary>
    public static float[] Operand(Random random, int rows, int k, int stride, ElementType precision, float scale = 1)
    {
        float[] values = Rows(random, rows, k, stride, precision, scale);
        for (int i = 0; i < values.Length; i++)
            if (i % stride >= Stride(k)) values[i] = float.NaN;
        return values;
    }

    public static float Normal(Random random) =>
        (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));

    public static int Stride(int columns) => (columns + 7) & ~7;

    /// <summary>|found - expected| / |expected| over the named columns of all rows; NaN where anything is NaN.</summary>
    public static double Distance(double[] expected, float[] found, int rows, int columns, int expectedStride, int foundStride)
    {
        double difference = 0, norm = 0;
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++)
            {
                double e = expected[r * expectedStride + c], d = found[r * foundStride + c] - e;
                difference += d * d;
                norm += e * e;
            }

        return Math.Sqrt(difference / Math.Max(norm, 1e-30));
    }

    /// <summary>Fails with a sentence where the distance to the packed twin is larger than allowed.</summary>
    public static void AssertClose(double[] expected, float[] found, int rows, int columns, int stride, double tolerance, string what)
    {
        double distance = Distance(expected, found, rows, columns, columns, stride);
        Assert.True(distance <= tolerance, $"{what}: relative error {distance:e2}");
    }

    /// <summary>The columns of each row from the last real one to <paramref name="end"/> are zero: whoever reads the row reads them too.</summary>
    public static void AssertPadding(float[] found, int rows, int columns, int stride, int end)
    {
        for (int r = 0; r < rows; r++)
            for (int c = columns; c < end; c++) Assert.Equal(0f, found[r * stride + c]);
    }

    /// <summary>Rows without their padding.</summary>
    public static double[] Packed(float[] values, int rows, int columns, int stride)
    {
        double[] packed = new double[rows * columns];
        for (int i = 0; i < packed.Length; i++) packed[i] = values[i / columns * stride + i % columns];
        return packed;
    }
}
