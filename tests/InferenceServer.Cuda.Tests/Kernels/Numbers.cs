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
}
