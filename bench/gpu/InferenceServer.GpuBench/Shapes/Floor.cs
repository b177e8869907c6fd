namespace InferenceServer.GpuBench.Shapes;

/// <summary>
/// The least time a step can take: every weight and every attended key and value is read once at the bandwidth that was measured,
/// or every product runs at the arithmetic rate that was measured, whichever is longer. Attention's own arithmetic is left out.
/// </summary>
/// <param name="BytesPerSecond">Read bandwidth.</param>
/// <param name="FlopsPerSecond">Of a large bf16 product.</param>
internal sealed record Floor(double BytesPerSecond, double FlopsPerSecond)
{
    /// <summary>Used when the probes did not run before: an H200, as measured on one (native bandwidth of a copy, and an 8192-cube product).</summary>
    public static Floor H200 { get; } = new(4.3e12, 780e12);

    /// <param name="tokens">Computed in the step.</param>
    /// <param name="kvTokens">Positions that are read, over all sequences.</param>
    public double Seconds(ModelShape shape, int tokens, long kvTokens)
    {
        double bytes = 2.0 * shape.StreamedParameters + (double)shape.KvBytesPerToken * kvTokens;
        double flops = 2.0 * shape.StreamedParameters * tokens;
        return Math.Max(bytes / BytesPerSecond, flops / FlopsPerSecond);
    }
}
