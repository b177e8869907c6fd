using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Sampling;
using Xunit;

namespace InferenceServer.Engine.Tests.Sampling;

/// <summary>Random rows and parameters against the plain sampler. A failure names its size and seed.</summary>
public class HostSamplerPropertyTests
{
    /// <summary>Tokens nearer than this to a border may fall on either side: float against double.</summary>
    private const double BorderTolerance = 1e-5;

    [Fact]
    public void Kept_tokens_probabilities_and_choice_equal_the_plain_sampler()
    {
        foreach (int size in SamplerCases.Sizes)
            for (int seed = 0; seed < (size > 100_000 ? 12 : size > 10_000 ? 40 : 250); seed++)
                Compare(size, seed);
    }

    [Fact]
    public void Greedy_equals_the_plain_sampler_with_every_edit()
    {
        foreach (int size in SamplerCases.Sizes)
        {
            for (int seed = 0; seed < 40; seed++)
            {
                Random random = new(seed);
                float[] logits = SamplerCases.Logits(random, size);
                SamplingParameters parameters = SamplerCases.Parameters(random, size) with { Temperature = 0 };
                SamplingState state = SamplerCases.State(parameters, size, random);
                int expected = PlainSampler.Greedy(PlainSampler.Edit(logits, state));
                SampleResult result = SamplerCases.Sample(logits, state, position: seed);
                Assert.True(expected == result.Token && result.Failed == (expected < 0), $"size {size}, seed {seed}: {expected} against {result.Token}");
            }
        }
    }

    [Fact]
    public void Logprobs_rank_and_alternatives_are_of_the_raw_row()
    {
        foreach (int size in SamplerCases.Sizes)
        {
            for (int seed = 0; seed < 10; seed++)
            {
                Random random = new(seed);
                float[] logits = SamplerCases.Logits(random, size);
                int asked = random.Next(0, SamplingParameters.MaxTopLogprobs + 1), target = random.Next(size);
                CheckReport(logits, SamplerCases.Score(logits, target, asked), target, asked, $"score, size {size}, seed {seed}");

                SamplingParameters parameters = new() { Temperature = 0.7f, TopP = 0.8f, Logprobs = true, TopLogprobs = asked, BannedTokens = [size / 2] };
                SampleResult sampled = SamplerCases.Sample(logits, parameters, position: seed);
                if (!sampled.Failed) CheckReport(logits, sampled, sampled.Token, asked, $"sample, size {size}, seed {seed}");
            }
        }
    }

    private static void Compare(int size, int seed)
    {
        Random random = new(seed);
        float[] logits = SamplerCases.Logits(random, size);
        SamplingParameters parameters = SamplerCases.Parameters(random, size);
        SamplingState state = SamplerCases.State(parameters, size, random);
        string where = $"size {size}, seed {seed}, {parameters}";
        SampleResult result = SamplerCases.Sample(logits, state, position: seed);

        float[] edited = PlainSampler.Edit(logits, state);
        int greedy = PlainSampler.Greedy(edited);
        Assert.True(result.Failed == (greedy < 0), where);
        if (greedy < 0 || parameters.Temperature == 0)
        {
            Assert.True(result.Token == greedy, where);
            return;
        }

        float[] fastEdited = (float[])logits.Clone(), weights = new float[size];
        LogitEdits.Apply(fastEdited, state, SamplerScratch.Current);
        Assert.True(edited.AsSpan().SequenceEqual(fastEdited), where);
        HostSampler.Filter(fastEdited, edited[greedy], parameters, weights, SamplerScratch.Current);
        CompareDistribution(PlainSampler.Distribution(edited, parameters), weights, result.Token, state, seed, where);
    }

    private static void CompareDistribution(PlainSampler.Candidate[] expected, float[] weights, int chosen, SamplingState state, int position, string where)
    {
        double total = weights.Sum(w => (double)w), upTo = 0;
        Assert.True(total > 0, where);
        double disputed = 0;
        foreach (PlainSampler.Candidate c in expected)
        {
            double probability = weights[c.Token] / total;
            if (c.Kept != weights[c.Token] > 0)
            {
                bool atBorder = c.Margin < BorderTolerance || c.Probability < 1e-30;
                Assert.True(atBorder, $"{where}: token {c.Token} kept {c.Kept}, weight {weights[c.Token]}, margin {c.Margin}");
                disputed += Math.Max(probability, c.Probability);
            }
        }

        double u = CounterRandom.Uniform(state.Seed, position), tolerance = BorderTolerance + (2 * disputed);
        foreach (PlainSampler.Candidate c in expected)
        {
            Assert.True(Math.Abs((weights[c.Token] / total) - c.Probability) <= tolerance, $"{where}: token {c.Token}");
            if (c.Token == chosen)
            {
                Assert.True(weights[c.Token] > 0, $"{where}: chose {chosen}, which is impossible");
                Assert.True(u >= upTo - tolerance && u <= upTo + c.Probability + tolerance, $"{where}: chose {chosen} with u {u}");
            }

            upTo += c.Probability;
        }
    }

    private static void CheckReport(float[] logits, SampleResult result, int token, int asked, string where)
    {
        double max = logits.Max(), normaliser = max + Math.Log(logits.Sum(l => Math.Exp(l - max)));
        Assert.True(result.Token == token && !result.Failed, where);
        if (float.IsFinite(logits[token])) Assert.True(Math.Abs(result.Logprob - (logits[token] - normaliser)) < 1e-5, where);
        else Assert.True(float.IsNegativeInfinity(result.Logprob), where);
        Assert.True(result.Rank == 1 + logits.Count(l => l > logits[token]), where);

        (float Logit, int Token)[] top = [.. logits.Select((l, i) => (l, i)).Where(t => float.IsFinite(t.l)).OrderByDescending(t => t.l).ThenBy(t => t.i).Take(asked)];
        Assert.True(result.TopCount == top.Length, where);
        for (int i = 0; i < top.Length; i++)
        {
            Assert.True(result.Top[i].Token == top[i].Token, $"{where}: alternative {i}");
            Assert.True(Math.Abs(result.Top[i].Logprob - (top[i].Logit - normaliser)) < 1e-5, $"{where}: alternative {i}");
        }
    }
}
