namespace InferenceServer.Cuda.Tests.Plain;

/// <summary>RMSNorm in double.</summary>
internal static class PlainNorm
{
    /// <summary>x / sqrt(mean(x^2) + epsilon) * gain of one row.</summary>
    public static double[] Rms(ReadOnlySpan<double> x, ReadOnlySpan<float> gain, double epsilon)
    {
        double squares = 0;
        foreach (double value in x) squares += value * value;
        double scale = 1 / Math.Sqrt(squares / x.Length + epsilon);
        double[] y = new double[x.Length];
        for (int i = 0; i < y.Length; i++) y[i] = x[i] * scale * gain[i];
        return y;
    }
}
