using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Cuda.Tests.Backend;

/// <summary>Chooses greedily and keeps what it chose from, in order of (seed of the sequence, position).</summary>
internal sealed class CapturedLogits : ISampler
{
    /// <summary>Makes a row the host's to sample.</summary>
    public static SamplingParameters OnHost(int sequence) => new() { Temperature = 0, TopLogprobs = 1, Seed = (ulong)sequence };

    public SortedDictionary<(ulong Sequence, int Position), float[]> Rows { get; } = [];

    public void Sample(Span<float> logits, in LogitsRow row, ref SampleResult result)
    {
        float[] copy = logits.ToArray();
        int best = 0;
        for (int i = 1; i < copy.Length; i++)
            if (copy[i] > copy[best]) best = i;
        (result.Token, result.Failed, result.Logprob, result.Rank, result.TopCount) = (best, !float.IsFinite(copy[best]), float.NaN, 0, 0);
        lock (Rows) Rows[(row.Sampling.Seed, row.Position)] = copy;
    }

    /// <summary>How much likelier the first choice was than the second.</summary>
    public float Margin(int sequence, int position)
    {
        float[] sorted = [.. Rows[((ulong)sequence, position)].OrderDescending()];
        return sorted[0] - sorted[1];
    }
}
