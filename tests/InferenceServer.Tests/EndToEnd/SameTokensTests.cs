using InferenceServer.Core.Requests;
using InferenceServer.Cpu;

namespace InferenceServer.Tests.EndToEnd;

/// <summary>The same request gives the same tokens alone, in a batch, after preemption and on a cached prefix.</summary>
public class SameTokensTests
{
    private const int Completion = 48;

    public static TheoryData<string> Models => ["demo", "stories260K", "stories260K-bf16"];

    public static TheoryData<string, bool> ModelsBothWays => new()
    {
        { "demo", false }, { "demo", true }, { "stories260K", false }, { "stories260K", true }, { "stories260K-bf16", false },
        { "demo-q8", false }, { "demo-q4", true },
    };

    [Theory]
    [MemberData(nameof(ModelsBothWays))]
    public async Task Alone_and_among_32_random_neighbours(string model, bool sampled)
    {
        int[][] prompts;
        int[][] alone;
        await using (EngineRig rig = new(FolderOf(model), blocks: 64, maxRunning: 1, prefixCache: false, threads: 1, weights: WeightsOf(model)))
        {
            prompts = Prompts(rig.Vocabulary, 4, seed: 1);
            alone = await AllAsync(rig, prompts, sampled, together: false);
        }

        await using EngineRig crowd = new(FolderOf(model), blocks: 2048, tokensPerStep: 64, maxRunning: 64, weights: WeightsOf(model));
        int[][] neighbours = Prompts(crowd.Vocabulary, 32, seed: 2);
        Task<GeneratedTokens>[] noise = [.. neighbours.Select((p, i) => crowd.RunAsync(p, 8 + 5 * i, new SamplingParameters { Temperature = 1, Seed = (ulong)i }))];
        int[][] crowded = await AllAsync(crowd, prompts, sampled, together: true);
        await Task.WhenAll(noise);
        Assert.Equal(alone, crowded);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task After_forced_preemption(string model)
    {
        await using EngineRig roomy = new(FolderOf(model), blocks: 1024, prefixCache: false);
        int[][] prompts = Prompts(roomy.Vocabulary, 12, seed: 3);
        int[][] undisturbed = await AllAsync(roomy, prompts, sampled: true, together: true);
        Assert.Equal(0, roomy.Engine.Status.PreemptionsTotal);

        await using EngineRig tight = new(FolderOf(model), blocks: 24, prefixCache: false); // three of the twelve fit at their full length
        int[][] preempted = await AllAsync(tight, prompts, sampled: true, together: true);
        Assert.True(tight.Engine.Status.PreemptionsTotal > 0, "nothing was preempted, so nothing was tested");
        Assert.Equal(undisturbed, preempted);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task On_a_cached_prefix(string model)
    {
        await using EngineRig rig = new(FolderOf(model), blocks: 512);
        int[] prompt = Prompts(rig.Vocabulary, 1, seed: 4, length: 70)[0];
        GeneratedTokens first = await rig.GreedyAsync(prompt, Completion);
        GeneratedTokens second = await rig.GreedyAsync(prompt, Completion);
        GeneratedTokens longer = await rig.GreedyAsync([.. prompt, .. first.Tokens[..20]], Completion - 20);
        Assert.Equal(0, first.Summary.CachedTokens);
        Assert.True(second.Summary.CachedTokens >= 64, $"{second.Summary.CachedTokens} tokens were cached");
        Assert.True(longer.Summary.CachedTokens > second.Summary.CachedTokens);
        Assert.Equal(first.Tokens, second.Tokens);
        Assert.Equal(first.Tokens[20..], longer.Tokens);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task Whatever_the_chunk_the_step_and_the_threads(string model)
    {
        int[]? expected = null;
        foreach ((int tokensPerStep, int threads) in new[] { (256, 1), (256, 2), (16, 2), (7, 1) })
        {
            await using EngineRig rig = new(FolderOf(model), blocks: 64, tokensPerStep, maxRunning: 4, threads: threads);
            int[] got = (await rig.GreedyAsync(Prompts(rig.Vocabulary, 1, seed: 5, length: 90)[0], Completion)).Tokens;
            Assert.Equal(expected ?? got, got);
            expected = got;
        }
    }

    private static async Task<int[][]> AllAsync(EngineRig rig, int[][] prompts, bool sampled, bool together)
    {
        List<Task<GeneratedTokens>> running = [];
        for (int i = 0; i < prompts.Length; i++)
        {
            running.Add(rig.RunAsync(prompts[i], Completion, new SamplingParameters { Temperature = sampled ? 0.8f : 0, TopP = 0.95f, Seed = 100 + (ulong)i }));
            if (!together) await running[i];
        }

        return [.. (await Task.WhenAll(running)).Select(g => g.Tokens)];
    }

    private static int[][] Prompts(int vocabulary, int count, int seed, int length = 0)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
            Enumerable.Range(0, length > 0 ? length : random.Next(1, 60)).Select(_ => random.Next(vocabulary)).ToArray())];
    }

    private static string FolderOf(string model) => model switch
    {
        "demo" or "demo-q8" or "demo-q4" => TestModels.Demo,
        "stories260K" => TestModels.Stories,
        _ => TestModels.StoriesBf16,
    };

    private static WeightPrecision WeightsOf(string model) => model switch
    {
        "demo-q8" => WeightPrecision.Q8,
        "demo-q4" => WeightPrecision.Q4,
        _ => WeightPrecision.AsStored,
    };
}
