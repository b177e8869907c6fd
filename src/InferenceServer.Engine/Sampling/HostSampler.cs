using System.Diagnostics;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine.Sampling;

/// <summary>
/// Chooses tokens on the host. Thread-safe, and without allocation once a thread has seen its first row of a vocabulary size.
/// <para>
/// The chain, in this order: logit bias; allowed, banned and (until MinTokens) stop tokens; repetition, then frequency and presence
/// penalties; temperature; top-k; min-p; top-p; typical-p; choice. It is vLLM's order (vllm/v1/sample/sampler.py), where bans come before penalties
/// and min-p before top-p, so that each mass filter sees the distribution that the filters before it renormalised. Hugging Face
/// (generation/utils.py, _get_logits_processor) puts top-p before min-p; top-k and min-p commute, as both keep a prefix of the ranking.
/// Log-probabilities are of the raw row: before everything above.
/// </para>
/// <para>
/// The choice walks the tokens that are left by ascending id and takes the first whose running sum of weights exceeds
/// u * (sum of all), u = CounterRandom.Uniform(seed, position). No step depends on the batch, on the vector width of the
/// machine or on whether it fuses multiply-adds: equal logits, bit for bit, give equal tokens.
/// </para>
/// <para>
/// A row fails, alone, when its largest logit after bans is not finite: NaN anywhere, +inf, or nothing allowed. When log-probabilities
/// are asked for, the raw row is held to the same rule.
/// </para>
/// To add a filter: 1. say in the list above where it stands and whose order that is; 2. make it a cut of logits or of weights
/// (0 = impossible) beside <see cref="WeightFilters"/>; 3. teach the plain sampler in the tests the same rule.
/// </summary>
public sealed class HostSampler : ISampler
{
    /// <summary>Colder than this is greedy: weights would be a step function of the logits' last bit. vLLM's _SAMPLING_EPS.</summary>
    public const float GreedyTemperature = 1e-5f;

    /// <inheritdoc/>
    /// <remarks>A failed row has Token -1, or the target of a Score row.</remarks>
    public void Sample(Span<float> logits, in LogitsRow row, ref SampleResult result)
    {
        Debug.Assert(!logits.IsEmpty && row.Sampling is not null);
        SamplerScratch scratch = SamplerScratch.Current;
        result.Token = row.TargetToken;
        result.Logprob = float.NaN;
        result.Rank = 0;
        result.TopCount = 0;
        SamplingParameters parameters = row.Sampling.Parameters;
        if (row.Kind == LogitsRowKind.Score)
        {
            RawDistribution scored = new(logits);
            result.Failed = !scored.TryReport(row.TargetToken, parameters.PromptLogprobs ?? 0, scratch, ref result);
            return;
        }

        if (!parameters.Logprobs && parameters.TopLogprobs == 0)
        {
            result.Token = Choose(logits, row, scratch);
            result.Failed = result.Token < 0;
            return;
        }

        Span<float> edited = scratch.Edited(logits.Length);
        logits.CopyTo(edited);
        RawDistribution raw = new(logits);
        result.Token = Choose(edited, row, scratch);
        result.Failed = !raw.TryReport(result.Token, parameters.TopLogprobs, scratch, ref result);
        if (result.Failed) result.Token = -1;
    }

    /// <summary>The chosen token, or -1 when no number in the row can be used.</summary>
    private static int Choose(Span<float> logits, in LogitsRow row, SamplerScratch scratch)
    {
        SamplingState state = row.Sampling;
        SamplingParameters parameters = state.Parameters;
        LogitEdits.Apply(logits, state, scratch);
        int best = LogitScan.ArgMax(logits, out float max);
        if (best < 0 || parameters.Temperature < GreedyTemperature || parameters.TopK == 1) return best;

        Span<float> weights = scratch.Weights(logits.Length);
        Filter(logits, max, parameters, weights, scratch);
        return InverseCdf.Choose(weights, CounterRandom.Uniform(state.Seed, row.Position), scratch);
    }

    /// <summary>From edited logits to the weights that the choice is made by.</summary>
    internal static void Filter(Span<float> logits, float max, SamplingParameters parameters, Span<float> weights, SamplerScratch scratch)
    {
        if (parameters.TopK > 0 && parameters.TopK < logits.Length)
        {
            Threshold kept = TopSelection.KthLargest(logits, parameters.TopK, scratch);
            WeightFilters.Cut(logits, kept, float.NegativeInfinity);
        }

        float scale = 1f / parameters.Temperature;
        double total = Softmax.Weigh(logits, max, scale, parameters.MinP, weights);
        if (parameters.TopP < 1f) WeightFilters.TopP(weights, total, parameters.TopP, scratch);
        if (parameters.TypicalP < 1f) WeightFilters.TypicalP(weights, logits, max, scale, parameters.TypicalP, scratch);
    }
}
