namespace InferenceServer.Cuda.Tests.Plain;

/// <summary>Attention of one query head over a list of keys, in double.</summary>
internal static class PlainAttention
{
    /// <summary>softmax(query . keys * scale) . values over positions [begin, end).</summary>
    /// <param name="key">Of a position, head_dim numbers.</param>
    public static double[] Attend(ReadOnlySpan<float> query, Func<int, ReadOnlyMemory<float>> key, Func<int, ReadOnlyMemory<float>> value, double scale, int begin, int end)
    {
        double[] weights = new double[end - begin], result = new double[query.Length];
        for (int t = begin; t < end; t++)
            for (int d = 0; d < query.Length; d++) weights[t - begin] += scale * query[d] * key(t).Span[d];
        double top = weights.Max(), sum = weights.Sum(w => Math.Exp(w - top));
        for (int t = begin; t < end; t++)
            for (int d = 0; d < query.Length; d++) result[d] += Math.Exp(weights[t - begin] - top) / sum * value(t).Span[d];
        return result;
    }
}
