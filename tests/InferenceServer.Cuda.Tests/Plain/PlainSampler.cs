using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Cuda.Tests.Plain;

/// <summary>The sampling chain in double, each filter by sorting.</summary>
internal static class PlainSampler
{
    /// <summary>Bias, allowed and banned tokens, penalties.</summary>
    /// <param name="pending">Token that counts as generated once more; -1: none.</param>
    public static double[] Edit(ReadOnlySpan<float> logits, SamplingState state, int pending)
    {
        SamplingParameters p = state.Parameters;
        double[] edited = [.. logits.ToArray().Select((x, i) => (double)(x + (p.LogitBias?.GetValueOrDefault(i) ?? 0)))];
        Dictionary<int, int> counts = new(state.Counts ?? []);
        if (pending >= 0 && state.Counts is not null) counts[pending] = counts.GetValueOrDefault(pending) + 1;
        for (int i = 0; i < edited.Length; i++)
        {
            bool banned = p.BannedTokens?.Contains(i) == true || (state.GeneratedTokens + (pending >= 0 ? 1 : 0) < p.MinTokens && state.StopTokens.Contains(i));
            if (banned || p.AllowedTokens?.Contains(i) == false) edited[i] = double.NegativeInfinity;
            if (!counts.TryGetValue(i, out int count)) continue;
            edited[i] = edited[i] > 0 ? edited[i] / p.RepetitionPenalty : edited[i] * p.RepetitionPenalty;
            if (count > 0) edited[i] -= (double)p.FrequencyPenalty * count + p.PresencePenalty;
        }

        return edited;
    }

    /// <summary>What top-k, min-p and top-p leave, unnormalised; of equals the lowest ids. 0 = impossible.</summary>
    public static double[] Weights(double[] logits, SamplingParameters p)
    {
        double top = logits.Max(), total = 0;
        int[] ranked = [.. Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i])]; // stable: of equals the lower id first
        double[] weights = new double[logits.Length];
        foreach (int i in ranked.Take(p.TopK > 0 ? p.TopK : logits.Length)) weights[i] = Math.Exp((logits[i] - top) / p.Temperature);
        for (int i = 0; i < weights.Length; i++) weights[i] = weights[i] >= p.MinP ? weights[i] : 0;
        double share = p.TopP >= 1 ? double.PositiveInfinity : p.TopP * weights.Sum();
        foreach (int i in ranked) (weights[i], total) = (total < share ? weights[i] : 0, total + weights[i]);
        return weights;
    }

    /// <summary>Scores whose largest is the choice: log-weights with Gumbel noise of (seed, position, 1 + token / 4), word token % 4.</summary>
    public static double[] Scores(double[] weights, ulong seed, int position)
    {
        uint[] words = new uint[4];
        double[] scores = new double[weights.Length];
        for (int i = 0; i < weights.Length; i++)
        {
            CounterRandom.Block(seed, position, 1 + (uint)i / 4, words);
            double u = ((words[i % 4] >> 8) + 0.5) / (1 << 24);
            scores[i] = Math.Log(weights[i]) - Math.Log(-Math.Log(u));
        }

        return scores;
    }
}
