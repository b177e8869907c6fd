namespace InferenceServer.CpuBench.Runs;

internal static class Median
{
    /// <summary>Null of nothing; the mean of the middle two of an even number.</summary>
    public static double? Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? null : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
