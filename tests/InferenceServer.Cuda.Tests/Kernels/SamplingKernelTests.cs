using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Tests.Plain;
using InferenceServer.Engine.Sampling;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>Sampling on the device against the host's sampler where both must agree, and against a plain one in double where the draw differs.</summary>
public class SamplingKernelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(33)]
    [InlineData(1000)]
    [InlineData(5003)]
    public void Every_filter_and_draw_equals_the_plain_sampler(int vocabulary)
    {
        Random random = new(vocabulary);
        SamplingScene scene = new(vocabulary);
        for (int i = 0; i < 40; i++) AddRandom(scene, random, greedy: false);
        CheckDraws(scene);
    }

    [Fact]
    public void Borders_among_equals_and_penalties_equal_the_plain_samplers()
    {
        Random random = new(8);
        SamplingScene scene = new(12);
        for (int i = 0; i < 250; i++) AddFlat(scene, random);
        CheckDraws(scene);
    }

    /// <summary>Draws of a scene held to the plain sampler, wherever its two best scores are not as good as equal.</summary>
    internal static void CheckDraws(SamplingScene scene, KernelRig? other = null)
    {
        using KernelRig? own = other is null ? new KernelRig() : null;
        SampleOut[] found = scene.Run(other ?? own!, out int[] feed);
        for (int i = 0; i < found.Length; i++)
        {
            (float[] logits, LogitsRow row, int pending) = scene.Rows[i];
            double[] weights = PlainSampler.Weights(PlainSampler.Edit(logits, row.Sampling, pending), row.Sampling.Parameters);
            double[] scores = PlainSampler.Scores(weights, row.Sampling.Seed, row.Position);
            int[] best = [.. Enumerable.Range(0, scores.Length).OrderByDescending(t => scores[t]).Take(2)];
            if (best.Length > 1 && scores[best[0]] - scores[best[1]] < 1e-4) continue;
            Assert.True(found[i].Token == best[0], $"row {i}, {row.Sampling.Parameters}, pending {pending}: token {found[i].Token} of weight {(found[i].Token < 0 ? 0 : weights[found[i].Token])}, not {best[0]} of {weights[best[0]]}");
            Assert.Equal((best[0], 0), (feed[i], found[i].Failed));
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(70)]
    [InlineData(3001)]
    public void Greedy_choices_log_probabilities_and_ranks_equal_the_hosts(int vocabulary)
    {
        Random random = new(vocabulary);
        SamplingScene scene = new(vocabulary);
        for (int i = 0; i < 30; i++) AddRandom(scene, random, greedy: true);
        CheckHost(scene);
    }

    internal static void CheckHost(SamplingScene scene, KernelRig? other = null)
    {
        using KernelRig? own = other is null ? new KernelRig() : null;
        SampleOut[] found = scene.Run(other ?? own!);
        for (int i = 0; i < found.Length; i++)
        {
            (float[] logits, LogitsRow row, int pending) = scene.Rows[i];
            if (pending >= 0) row.Sampling.Accept(pending); // the host samples when the token is known
            SampleResult expected = new() { Top = [] };
            new HostSampler().Sample((float[])logits.Clone(), in row, ref expected);
            Assert.True(expected.Token == found[i].Token && expected.Failed == (found[i].Failed != 0) && expected.Rank == found[i].Rank,
                $"row {i}, {row.Kind} {row.Sampling.Parameters}: token {found[i].Token} rank {found[i].Rank} failed {found[i].Failed}, the host's {expected.Token}, {expected.Rank}, {expected.Failed}");
            if (float.IsFinite(expected.Logprob)) Assert.Equal(expected.Logprob, found[i].Logprob, 2e-5f * (1 + Math.Abs(expected.Logprob)));
            else Assert.Equal(expected.Logprob, found[i].Logprob);
        }
    }

    [Fact]
    public void Scored_rows_report_the_target_and_feed_nothing_back()
    {
        Random random = new(3);
        SamplingScene scene = new(300);
        foreach (int target in new[] { 0, 299, 17 }) scene.Add(Logits(random, 300), new SamplingParameters { PromptLogprobs = 0 }, scored: target);
        CheckHost(scene);
        using KernelRig rig = new();
        scene.Run(rig, out int[] feed);
        Assert.All(feed, token => Assert.Equal(-7, token));
    }

    [Fact]
    public void Rows_without_a_usable_number_fail_alone()
    {
        SamplingScene scene = new(40);
        float[] Good() => Logits(new Random(1), 40);
        foreach (float bad in new[] { float.NaN, float.PositiveInfinity })
            foreach (int at in new[] { 0, 39 })
            {
                float[] logits = Good();
                logits[at] = bad;
                scene.Add(logits, new SamplingParameters { Temperature = 0 });
                scene.Add(logits, new SamplingParameters { TopK = 5, TopP = 0.9f });
                scene.Add(logits, new SamplingParameters(), scored: 3);
            }

        scene.Add(Good(), new SamplingParameters { AllowedTokens = [3], BannedTokens = [3] });
        int failing = scene.Rows.Count;
        scene.Add(Good(), new SamplingParameters { Temperature = 0 });
        using KernelRig rig = new();
        SampleOut[] found = scene.Run(rig);
        for (int i = 0; i < found.Length; i++) Assert.Equal(i < failing, found[i].Failed != 0);
    }

    /// <summary>Chi-square of 2,000 seeds over eight tokens, at 7 degrees of freedom: 26 is passed once in 2,000.</summary>
    [Fact]
    public void Over_many_seeds_tokens_come_as_often_as_they_should()
    {
        const int Seeds = 2000;
        float[] logits = [0f, 1f, -0.5f, 0.3f, 1.5f, -1f, 0.9f, 0.1f];
        SamplingParameters parameters = new() { Temperature = 0.8f };
        SamplingScene scene = new(8);
        for (ulong seed = 0; seed < Seeds; seed++) scene.Add(logits, parameters, seed);
        using KernelRig rig = new();
        SampleOut[] found = scene.Run(rig);
        double[] weights = PlainSampler.Weights([.. logits.Select(x => (double)x)], parameters);
        double chiSquare = 0;
        for (int token = 0; token < 8; token++)
        {
            double expected = weights[token] / weights.Sum() * Seeds, difference = found.Count(f => f.Token == token) - expected;
            chiSquare += difference * difference / expected;
        }

        Assert.True(chiSquare < 26, $"chi-square {chiSquare}");
        Assert.Equal(found.Select(f => f.Token), scene.Run(rig).Select(f => f.Token)); // the same seeds again
    }

    [Fact]
    public void Rows_left_to_the_host_are_not_touched()
    {
        SamplingScene scene = new(20);
        scene.Add(Logits(new Random(1), 20), new SamplingParameters { TopLogprobs = 3, Logprobs = true });
        using KernelRig rig = new();
        Assert.Equal(default, scene.Run(rig, out int[] feed)[0]);
        Assert.Equal(-7, feed[0]);
    }

    /// <summary>Steps of a quarter: many are equal, so that the order among equals is tested too.</summary>
    internal static float[] Logits(Random random, int vocabulary) =>
        [.. Enumerable.Range(0, vocabulary).Select(_ => MathF.Round(Numbers.Normal(random) * 8) / 4)];

    internal static void AddRandom(SamplingScene scene, Random random, bool greedy)
    {
        int vocabulary = scene.Vocabulary;
        int[] Some(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];
        bool Often() => random.Next(3) == 0;
        int[] banned = Often() && vocabulary > 8 ? Some(3) : [];
        bool penalises = Often();
        SamplingParameters parameters = new()
        {
            Temperature = greedy ? 0 : 0.5f + random.NextSingle(),
            TopK = Often() ? 1 + random.Next(Math.Min(60, vocabulary)) : 0,
            TopP = Often() ? 0.05f + 0.9f * random.NextSingle() : 1,
            MinP = Often() ? 0.3f * random.NextSingle() : 0,
            RepetitionPenalty = penalises ? 1.3f : 1,
            FrequencyPenalty = penalises ? 0.37f : 0,
            PresencePenalty = Often() ? 0.6f : 0,
            LogitBias = Often() ? Some(4).Distinct().ToDictionary(t => t, _ => random.NextSingle() * 4) : null,
            AllowedTokens = Often() && vocabulary > 40 ? [.. Some(20).Except(banned).Append(0)] : null,
            BannedTokens = banned.Length > 0 ? [.. banned.Where(t => t != 0)] : null,
            MinTokens = Often() && vocabulary > 8 ? 3 : 0,
            Logprobs = greedy && random.Next(2) == 0,
        };
        scene.Add(Logits(random, vocabulary), parameters, (ulong)random.NextInt64(), generated: Some(random.Next(4)), prompt: Some(5), stops: vocabulary > 8 ? [1, 2] : [],
            pending: random.Next(2) == 0 ? random.Next(vocabulary) : -1);
    }

    /// <summary>Logits of few values, all of them likely, so that one token too many or one penalty amiss changes many draws.</summary>
    internal static void AddFlat(SamplingScene scene, Random random)
    {
        int[] generated = [.. Enumerable.Range(0, 6).Select(_ => random.Next(scene.Vocabulary))];
        float[] logits = [.. Enumerable.Range(0, scene.Vocabulary).Select(_ => random.Next(-3, 3) / 2f)];
        SamplingParameters parameters = new() { TopK = 1 + random.Next(6), RepetitionPenalty = 1.5f, FrequencyPenalty = random.Next(2) * -0.8f }; // negative: tokens that were generated stay likely
        scene.Add(logits, parameters, (ulong)random.NextInt64(), generated, pending: random.Next(2) == 0 ? generated[0] : -1);
    }
}
