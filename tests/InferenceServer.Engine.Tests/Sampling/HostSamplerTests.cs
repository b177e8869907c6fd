using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Sampling;
using Xunit;

namespace InferenceServer.Engine.Tests.Sampling;

public class HostSamplerTests
{
    private static readonly SamplingParameters Greedy = new() { Temperature = 0 };

    [Theory]
    [InlineData(0f)]
    [InlineData(0.8f)]
    public void A_row_without_a_usable_number_fails_and_does_not_throw(float temperature)
    {
        foreach (SamplingParameters parameters in new SamplingParameters[]
        {
            new() { Temperature = temperature }, new() { Temperature = temperature, Logprobs = true, TopLogprobs = 5 },
            new() { Temperature = temperature, TopP = 0.5f, TopK = 3, MinP = 0.1f, TypicalP = 0.5f },
        })
        {
            foreach (int size in SamplerCases.Sizes)
            {
                float[] ordinary = SamplerCases.Gaussian(new Random(size), size, 1);
                AssertFailed(Enumerable.Repeat(float.NegativeInfinity, size).ToArray(), parameters);
                AssertFailed(Enumerable.Repeat(float.NaN, size).ToArray(), parameters);
                foreach (int place in new[] { 0, size / 2, size - 1 })
                {
                    AssertFailed(With(ordinary, place, float.NaN), parameters);
                    AssertFailed(With(ordinary, place, -float.NaN), parameters);
                    AssertFailed(With(ordinary, place, float.PositiveInfinity), parameters);
                }

                AssertFailed(ordinary, parameters with { AllowedTokens = [] });
                AssertFailed(ordinary, parameters with { AllowedTokens = [-1, size, int.MaxValue] });
                AssertFailed(ordinary, parameters with { BannedTokens = Enumerable.Range(-3, size + 9).ToArray() });
            }
        }
    }

    [Fact]
    public void A_nan_fails_the_row_wherever_it_stands()
    {
        float[] ordinary = SamplerCases.Gaussian(new Random(1), 101, 1);
        for (int place = 0; place < ordinary.Length; place++) AssertFailed(With(ordinary, place, float.NaN), Greedy);
    }

    [Fact]
    public void A_score_row_fails_on_bad_numbers_and_on_a_target_outside()
    {
        Assert.True(SamplerCases.Score([1, float.NaN, 2], 0, 2).Failed);
        Assert.True(SamplerCases.Score([1, 2, 3], 3, 2).Failed);
        Assert.True(SamplerCases.Score([1, 2, 3], -1, 2).Failed);
        Assert.False(SamplerCases.Score([1, 2, 3], 2, null).Failed);
    }

    [Fact]
    public void Huge_finite_logits_and_biases_are_ordinary_numbers()
    {
        float[] logits = [-3e38f, 3e38f, 0, float.MinValue, float.MaxValue, 1, 2, 3, 4, 5];
        Assert.Equal(4, SamplerCases.Sample(logits, Greedy).Token);
        Assert.Equal(4, SamplerCases.Sample(logits, new SamplingParameters { TopP = 0.9f, TypicalP = 0.9f }).Token);
        Assert.Equal(4, SamplerCases.Score(logits, 4, 3).Top[0].Token);
        Assert.Equal(2, SamplerCases.Sample([0, 0, 0], Greedy with { LogitBias = new Dictionary<int, float> { [2] = 100, [9] = 1e30f } }).Token);
        Assert.Equal(0, SamplerCases.Sample([0, 0, 0], Greedy with { LogitBias = new SortedList<int, float> { [2] = -1e38f, [1] = -100 } }).Token);
    }

    [Fact]
    public void Top_k_of_one_and_tiny_temperatures_and_a_tiny_top_p_are_greedy()
    {
        foreach (int size in SamplerCases.Sizes)
        {
            float[] logits = SamplerCases.Gaussian(new Random(size), size, 4);
            logits[size / 2] = logits.Max() + 0.5f;
            foreach (SamplingParameters parameters in new SamplingParameters[]
            {
                new() { TopK = 1, Temperature = 100 }, new() { Temperature = 1e-3f }, new() { Temperature = 1e-7f }, new() { Temperature = float.Epsilon },
                new() { TopP = 1e-7f }, new() { TopP = float.Epsilon }, new() { MinP = 1 }, new() { TopP = 1e-9f, TypicalP = 1e-9f, MinP = 0.5f, TopK = 5 },
            })
                for (int position = 0; position < 3; position++)
                    Assert.Equal(size / 2, SamplerCases.Sample(logits, parameters, position).Token);
        }
    }

    [Fact]
    public void Equal_logits_go_to_the_lowest_id()
    {
        foreach (int size in SamplerCases.Sizes)
        {
            float[] equal = new float[size];
            Assert.Equal(0, SamplerCases.Sample(equal, Greedy).Token);
            Assert.Equal(0, SamplerCases.Sample(equal, new SamplingParameters { TopK = 1 }).Token);
            Assert.Equal(0, SamplerCases.Sample(equal, new SamplingParameters { TopP = 1e-6f }).Token);
            if (size < 32) continue;
            HashSet<int> seen = [.. Enumerable.Range(0, 200).Select(position => SamplerCases.Sample(equal, new SamplingParameters { TopK = 3 }, position).Token)];
            Assert.Equal([0, 1, 2], seen.Order());
        }
    }

    [Fact]
    public void Stop_tokens_are_impossible_until_min_tokens_and_possible_after()
    {
        SamplingState state = new(Greedy with { MinTokens = 2 }, 0, [1], []);
        float[] logits = [0, 9, 1];
        Assert.Equal(2, SamplerCases.Sample(logits, state, 0).Token);
        state.Accept(2);
        Assert.Equal(2, SamplerCases.Sample(logits, state, 1).Token);
        state.Accept(2);
        Assert.Equal(1, SamplerCases.Sample(logits, state, 2).Token);
    }

    [Fact]
    public void Penalties_spare_the_prompt_except_for_repetition()
    {
        float[] logits = [2, 1.5f, -1];
        SamplingState presence = new(Greedy with { PresencePenalty = 2 }, 0, [], [0]);
        Assert.Equal(0, SamplerCases.Sample(logits, presence, 0).Token);
        presence.Accept(0);
        Assert.Equal(1, SamplerCases.Sample(logits, presence, 0).Token);
        Assert.Equal(1, SamplerCases.Sample(logits, new SamplingState(Greedy with { RepetitionPenalty = 2 }, 0, [], [0]), 0).Token);

        SamplingState frequency = new(Greedy with { FrequencyPenalty = 0.3f }, 0, [], []);
        frequency.Accept(0);
        Assert.Equal(0, SamplerCases.Sample(logits, frequency, 0).Token);
        frequency.Accept(0);
        Assert.Equal(1, SamplerCases.Sample(logits, frequency, 0).Token);
    }

    [Fact]
    public void The_choice_depends_on_seed_and_position_alone()
    {
        float[] logits = SamplerCases.Gaussian(new Random(3), 5000, 2);
        SamplingParameters parameters = new() { TopP = 0.95f, TopK = 400 };
        int[] first = [.. Enumerable.Range(0, 50).Select(p => SamplerCases.Sample(logits, parameters, p, seed: 7).Token)];
        int[] again = new int[50];
        Parallel.For(0, 50, p => again[49 - p] = SamplerCases.Sample(logits, parameters, 49 - p, seed: 7).Token);
        Assert.Equal(first, again);
        Assert.NotEqual(first, Enumerable.Range(0, 50).Select(p => SamplerCases.Sample(logits, parameters, p, seed: 8).Token));
        Assert.True(first.Distinct().Count() > 10);
    }

    /// <summary>A golden: found on AVX-512, and equal with AVX2 and with no vectors at all (DOTNET_EnableHWIntrinsic=0). It may change only with the chain's rules.</summary>
    [Fact]
    public void Tokens_are_the_same_on_every_machine()
    {
        float[] logits = [.. Enumerable.Range(0, 32001).Select(i => (CounterRandom.Bits(1, i, 0) % 10_000) / 1000f)];
        SamplingParameters[] chains =
        [
            new() { Temperature = 0.7f }, new() { TopP = 0.9f }, new() { TopP = 0.5f, TypicalP = 0.5f }, new() { TopK = 50, MinP = 0.9f },
        ];
        int[] tokens = [.. chains.SelectMany(chain => Enumerable.Range(0, 4).Select(position => SamplerCases.Sample(logits, chain, position, seed: 9).Token))];
        Assert.Equal("27030 13834 7184 30013 27033 13816 7170 30011 26961 13651 6922 29995 28133 10060 4217 30394", string.Join(' ', tokens));

        float[] weights = new float[logits.Length];
        LogitScan.ArgMax(logits, out float max);
        HostSampler.Filter(logits, max, chains[2], weights, SamplerScratch.Current);
        ulong hash = 14695981039346656037; // FNV-1a over the weights' bits
        foreach (float weight in weights) hash = (hash ^ BitConverter.SingleToUInt32Bits(weight)) * 1099511628211;
        Assert.Equal(10722236462682452896UL, hash);
    }

    [Fact]
    public void Asking_for_logprobs_does_not_change_the_choice()
    {
        float[] logits = SamplerCases.Gaussian(new Random(4), 3000, 2);
        SamplingParameters plain = new() { TopP = 0.9f, Temperature = 0.8f, LogitBias = new Dictionary<int, float> { [5] = 3 } };
        for (int position = 0; position < 50; position++)
        {
            SampleResult without = SamplerCases.Sample(logits, plain, position);
            SampleResult with = SamplerCases.Sample(logits, plain with { Logprobs = true, TopLogprobs = 4 }, position);
            Assert.Equal(without.Token, with.Token);
            Assert.True(float.IsNaN(without.Logprob) && without.TopCount == 0 && without.Rank == 0);
            Assert.Equal(4, with.TopCount);
        }
    }

    [Fact]
    public void A_warm_sampler_allocates_nothing()
    {
        const int Size = 32001;
        Random random = new(5);
        float[] logits = SamplerCases.Gaussian(random, Size, 2), scratch = new float[Size];
        SamplingState[] states = [.. Enumerable.Range(0, 60).Select(seed => SamplerCases.State(SamplerCases.Parameters(new Random(seed), Size), Size, random))];
        SampleResult result = new() { Top = new TokenLogprob[SamplingParameters.MaxTopLogprobs] };
        HostSampler sampler = new();
        long before = 0;
        for (int round = 0; round < 2; round++)
        {
            before = GC.GetAllocatedBytesForCurrentThread();
            foreach (SamplingState state in states)
            {
                foreach (LogitsRowKind kind in (ReadOnlySpan<LogitsRowKind>)[LogitsRowKind.Sample, LogitsRowKind.Score])
                {
                    logits.CopyTo(scratch, 0);
                    sampler.Sample(scratch, new LogitsRow { Kind = kind, TargetToken = 3, Position = round, Sampling = state }, ref result);
                }
            }
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static void AssertFailed(float[] logits, SamplingParameters parameters)
    {
        SampleResult result = SamplerCases.Sample(logits, parameters);
        Assert.True(result.Failed && result.Token == -1 && float.IsNaN(result.Logprob) && result.TopCount == 0, $"size {logits.Length}, {parameters}");
    }

    private static float[] With(float[] logits, int place, float value)
    {
        float[] copy = (float[])logits.Clone();
        copy[place] = value;
        return copy;
    }
}
