namespace InferenceServer.Cuda.Tests.Plain;

/// <summary>Matrix products in double.</summary>
internal static class PlainProducts
{
    /// <summary>y = x * w^T (+ bias), (m, n).</summary>
    public static double[] Project(float[] x, float[] w, float[]? bias, int m, int n, int k, int xStride, int wStride)
    {
        double[] y = new double[m * n];
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
            {
                double sum = bias?[j] ?? 0;
                for (int c = 0; c < k; c++) sum += (double)x[i * xStride + c] * w[j * wStride + c];
                y[i * n + j] = sum;
            }

        return y;
    }

    /// <summary>silu(gate) * up, where (rows, 2 * intermediate) holds gate before up.</summary>
    public static double[] SiluMul(double[] gateUp, int rows, int intermediate)
    {
        double[] y = new double[rows * intermediate];
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < intermediate; j++)
            {
                double gate = gateUp[i * 2 * intermediate + j];
                y[i * intermediate + j] = gate / (1 + Math.Exp(-gate)) * gateUp[i * 2 * intermediate + intermediate + j];
            }

        return y;
    }
}
