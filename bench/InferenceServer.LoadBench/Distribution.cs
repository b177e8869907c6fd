namespace InferenceServer.LoadBench;

/// <summary>Mean and percentiles (linear between neighbours) of a sample. Zeros when it is empty.</summary>
internal sealed record Distribution(int Count, double Mean, double P50, double P90, double P95, double P99, double Max)
{
    public static Distribution Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        if (sorted.Length == 0) return new Distribution(0, 0, 0, 0, 0, 0, 0);
        return new Distribution(sorted.Length, sorted.Average(), At(sorted, .5), At(sorted, .9), At(sorted, .95), At(sorted, .99), sorted[^1]);
    }

    private static double At(double[] sorted, double share)
    {
        double place = share * (sorted.Length - 1);
        int below = (int)place;
        return below + 1 < sorted.Length ? sorted[below] + (place - below) * (sorted[below + 1] - sorted[below]) : sorted[below];
    }
}
