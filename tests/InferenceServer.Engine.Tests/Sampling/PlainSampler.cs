using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine.Tests.Sampling;

/// <summary>The chain as one would write it on a board: double precision, full sorts. The twin that the fast sampler is held to.</summary>
internal static class PlainSampler
{
    /// <summary>One token's way through the filters. Margin: how near, in share of mass or probability, it came to any border.</summary>
    internal sealed class Candidate
    {
        public required int Token { get; init; }

        public required double Logit { get; init; }

        public double Probability { get; set; }

        public double Margin { get; set; } = double.PositiveInfinity;

        public bool Kept { get; set; } = true;
    }

    /// <summary>Logits after bias, bans and penalties. In float, as each is one operation: its rounding decides ties.</summary>
    public static float[] Edit(ReadOnlySpan<float> logits, SamplingState state)
    {
        SamplingParameters p = state.Parameters;
        float[] edited = new float[logits.Length];
        for (int i = 0; i < edited.Length; i++)
        {
            edited[i] = logits[i];
            if (p.LogitBias is not null && p.LogitBias.TryGetValue(i, out float bias)) edited[i] += bias;
            bool banned = p.AllowedTokens is not null && !p.AllowedTokens.Contains(i);
            banned |= p.BannedTokens is not null && p.BannedTokens.Contains(i);
            banned |= state.GeneratedTokens < p.MinTokens && state.StopTokens.Contains(i);
            if (banned) edited[i] = float.NegativeInfinity;
            if (state.Counts is null || !state.Counts.TryGetValue(i, out int count)) continue;
            edited[i] = edited[i] > 0 ? edited[i] / p.RepetitionPenalty : edited[i] * p.RepetitionPenalty;
            if (count > 0) edited[i] -= (p.FrequencyPenalty * count) + p.PresencePenalty;
        }

        return edited;
    }

    /// <summary>The lowest id of the largest, or -1 when there is no finite largest.</summary>
    public static int Greedy(float[] edited)
    {
        if (edited.Any(float.IsNaN)) return -1;
        float max = edited.Max();
        return float.IsFinite(max) ? Array.IndexOf(edited, max) : -1;
    }

    /// <summary>All tokens with their final probabilities, by ascending id. Needs a finite largest logit.</summary>
    public static Candidate[] Distribution(float[] edited, SamplingParameters p)
    {
        Candidate[] all = edited.Select((logit, token) => new Candidate { Token = token, Logit = (double)logit / p.Temperature }).ToArray();
        double max = all.Max(c => c.Logit);
        foreach (Candidate c in all) c.Probability = Math.Exp(c.Logit - max);
        List<Candidate> ranked = [.. all.Where(c => c.Probability > 0).OrderByDescending(c => c.Logit).ThenBy(c => c.Token)];

        if (p.TopK > 0)
            foreach (Candidate c in ranked.Skip(p.TopK)) c.Kept = false;
        foreach (Candidate c in ranked)
        {
            c.Margin = Math.Min(c.Margin, p.MinP > 0 ? Math.Abs(c.Probability - p.MinP) / p.MinP : double.PositiveInfinity);
            c.Kept &= c.Probability >= p.MinP;
        }

        if (p.TopP < 1) KeepMass([.. ranked.Where(c => c.Kept)], p.TopP, static c => c.Logit, keepTies: false);
        if (p.TypicalP < 1)
        {
            Candidate[] left = [.. ranked.Where(c => c.Kept)];
            double total = left.Sum(c => c.Probability);
            double entropy = -left.Sum(c => c.Probability / total * Math.Log(c.Probability / total));
            double Key(Candidate c) => Math.Abs(-Math.Log(c.Probability / total) - entropy);
            KeepMass([.. left.OrderBy(Key)], p.TypicalP, Key, keepTies: true);
        }

        double kept = all.Where(c => c.Kept).Sum(c => c.Probability);
        foreach (Candidate c in all) c.Probability = c.Kept ? c.Probability / kept : 0;
        return all;
    }

    /// <summary>Keeps the shortest prefix that reaches the mass, and with it what ties with its last token where asked.</summary>
    private static void KeepMass(Candidate[] ordered, double share, Func<Candidate, double> key, bool keepTies)
    {
        double total = ordered.Sum(c => c.Probability), before = 0, border = double.NaN;
        foreach (Candidate c in ordered)
        {
            double after = before + c.Probability;
            c.Margin = Math.Min(c.Margin, Math.Min(Math.Abs(before - (share * total)), Math.Abs(after - (share * total))) / total);
            c.Kept = before < share * total;
            if (c.Kept) border = key(c);
            before = after;
        }

        foreach (Candidate c in ordered)
        {
            double distance = Math.Abs(key(c) - border);
            if (keepTies) c.Kept |= distance == 0;
            if (distance > 0) c.Margin = Math.Min(c.Margin, distance / Math.Max(1, Math.Abs(border)));
        }
    }
}
