using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine.Sampling;

/// <summary>The model's own distribution over a row, before temperature, penalties and filters: what log-probabilities are reported of.</summary>
/// <param name="logits">(vocabulary) Unedited; must stay so while this is used.</param>
internal readonly ref struct RawDistribution(ReadOnlySpan<float> logits)
{
    private readonly ReadOnlySpan<float> _logits = logits;

    /// <summary>Fills Logprob, Rank and the alternatives; false, with nothing filled, when the row or the token is unusable.</summary>
    /// <param name="token">Whose log-probability.</param>
    /// <param name="alternatives">How many most likely tokens; capped by the result's Top array. Impossible tokens are never among them.</param>
    /// <param name="scratch">Of this thread.</param>
    /// <param name="result">Filled.</param>
    public bool TryReport(int token, int alternatives, SamplerScratch scratch, ref SampleResult result)
    {
        if ((uint)token >= (uint)_logits.Length || LogitScan.ArgMax(_logits, out float max) < 0) return false;
        double normaliser = max + Math.Log(Softmax.SumExp(_logits, max));
        result.Logprob = (float)(_logits[token] - normaliser);
        result.Rank = 1 + LogitScan.CountAbove(_logits, _logits[token]);
        if (alternatives > 0 && result.Top.Length > 0) result.TopCount = FillTop(result.Top, alternatives, normaliser, scratch);
        return true;
    }

    private int FillTop(Span<TokenLogprob> top, int alternatives, double normaliser, SamplerScratch scratch)
    {
        top = top[..Math.Min(top.Length, Math.Min(alternatives, _logits.Length))];
        Threshold kept = TopSelection.KthLargest(_logits, top.Length, scratch);
        ReadOnlySpan<Vector256<float>> lanes = MemoryMarshal.Cast<float, Vector256<float>>(_logits);
        Vector256<float> border = Vector256.Create(kept.Border);
        int count = 0, ties = kept.Border == float.NegativeInfinity ? 0 : kept.Ties;
        for (int lane = 0; lane < lanes.Length; lane++)
            if (Vector256.GreaterThanOrEqualAny(lanes[lane], border))
                Insert(lane * Vector256<float>.Count, Vector256<float>.Count, kept.Border, ref ties, top, ref count);
        int tail = lanes.Length * Vector256<float>.Count;
        Insert(tail, _logits.Length - tail, kept.Border, ref ties, top, ref count);
        for (int i = 0; i < count; i++) top[i] = new TokenLogprob(top[i].Token, (float)(top[i].Logprob - normaliser));
        return count;
    }

    /// <summary>Insertion by logit; ids arrive ascending, so stopping at equals leaves the lower id first.</summary>
    private void Insert(int first, int length, float border, ref int ties, Span<TokenLogprob> top, ref int count)
    {
        for (int token = first; token < first + length; token++)
        {
            float logit = _logits[token];
            if (!(logit > border || (logit == border && ties-- > 0))) continue;
            int place = count++;
            for (; place > 0 && top[place - 1].Logprob < logit; place--) top[place] = top[place - 1];
            top[place] = new TokenLogprob(token, logit);
        }
    }
}
