namespace InferenceServer.Cuda.Tests.Plain;

/// <summary>Softmax attention of one head of one row, in double.</summary>
internal static class PlainAttention
{
    /// <param name="key">Element d of the key at a position.</param>
    /// <param name="begin">The first visible position.</param>
    /// <param name="end">One past the last.</param>
    public static double[] Attend(ReadOnlySpan<float> query, Func<int, int, float> key, Func<int, int, float> value, int begin, int end, double scale)
    {
        double[] weights = new double[end - begin], result = new double[query.Length];
        for (int p = begin; p < end; p++)
            for (int d = 0; d < query.Length; d++) weights[p - begin] += (double)query[d] * key(p, d) * scale;
        double max = weights.Max(), sum = weights.Sum(w => Math.Exp(w - max));
        for (int p = begin; p < end; p++)
            for (int d = 0; d < query.Length; d++) result[d] += Math.Exp(weights[p - begin] - max) / sum * value(p, d);
        return result;
    }
}
