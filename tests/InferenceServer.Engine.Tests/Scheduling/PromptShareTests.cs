using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Scheduling;
using InferenceServer.Engine.Tests.Simulation;
using Xunit;

namespace InferenceServer.Engine.Tests.Scheduling;

/// <summary>What prompts may take of a step beside decodes: the arithmetic, and the engine on a runner whose steps cost virtual time.</summary>
public sealed class PromptShareTests
{
    [Fact]
    public void Nothing_is_limited_when_the_policy_is_off_or_nobody_decodes()
    {
        Assert.Equal(500, new PromptShare(0, 8).Limit(8, 500));
        Assert.Equal(500, new PromptShare(2, 8).Limit(0, 500));
    }

    [Fact]
    public void Before_anything_is_known_a_small_chunk_is_tried()
    {
        PromptShare share = new(2, 8);
        Assert.Equal(PromptShare.FirstTokens, share.Limit(3, 500));
        Assert.Equal(5, share.Limit(3, 5));
    }

    [Fact]
    public void The_share_is_what_fits_the_slowdown_at_the_measured_costs()
    {
        PromptShare share = new(3, 8);
        share.Observe(4, 0, 10);
        share.Observe(4, 20, 10 + 20 * 0.5);
        Assert.Equal(40, share.Limit(4, 500)); // 2 * 10 / 0.5
        Assert.Equal(30, share.Limit(4, 30));
        Assert.Equal(40, share.Limit(6, 500)); // the nearest number of decodes below stands in
        share.Observe(6, 0, 20);
        Assert.Equal(80, share.Limit(6, 500));
    }

    [Fact]
    public void A_step_of_prompts_alone_tells_what_a_token_costs()
    {
        PromptShare share = new(2, 8);
        share.Observe(0, 100, 50);
        share.Observe(1, 0, 10);
        Assert.Equal(20, share.Limit(1, 500));
    }

    [Fact]
    public void A_prompt_always_moves()
    {
        PromptShare share = new(1.1, 8);
        share.Observe(2, 0, 1);
        share.Observe(2, 1, 100);
        Assert.Equal(PromptShare.LeastTokens, share.Limit(2, 500));
        Assert.Equal(1, share.Limit(2, 1));
    }

    [Theory]
    [InlineData(0, 100)]
    [InlineData(2, 20)]
    [InlineData(1.5, 15)]
    public void A_long_prompt_slows_streams_by_no_more_than_was_asked(double slowdown, double longest)
    {
        // Ten milliseconds for the decodes, a quarter for a token of a prompt. The prompt's first step is before its cost is known.
        CostlyRunner? runner = null;
        InferenceServer.Engine.InferenceEngine engine = Engine(slowdown, time => runner = new CostlyRunner(time));
        for (int i = 0; i < 4; i++) Assert.Null(engine.Submit(EngineHarness.Request($"stream {i}", prompt: 4, maxTokens: 100, firstToken: 1 + 10 * i)).Rejection);
        for (int step = 0; step < 10; step++) engine.Loop.StepOnce();
        Assert.Null(engine.Submit(EngineHarness.Request("long", prompt: 800, maxTokens: 1, firstToken: 100)).Rejection);
        double worst = 0, prompt = 0;
        while (prompt < 800)
        {
            engine.Loop.StepOnce();
            worst = Math.Max(worst, runner!.LastMilliseconds);
            prompt += runner.LastPromptTokens;
        }

        if (slowdown == 0) Assert.True(worst >= longest, $"without a limit the longest step took {worst} ms");
        else Assert.InRange(worst, longest * 0.9, longest);
    }

    private static InferenceEngine Engine(double slowdown, Func<VirtualTime, IModelRunner> runner)
    {
        VirtualTime time = new();
        return new InferenceEngine(runner(time), new EngineOptions { RandomSeed = 1, DecodeSlowdown = slowdown, EnablePrefixCache = false }, time);
    }

    private sealed class CostlyRunner(VirtualTime time) : IModelRunner
    {
        private readonly FakeRunner _inner = new(EngineHarness.Limits(blocks: 1000, context: 2000, tokens: 512));

        public double LastMilliseconds { get; private set; }

        public int LastPromptTokens { get; private set; }

        public RunnerLimits Limits => _inner.Limits;

        public void Launch(StepPlan plan)
        {
            LastPromptTokens = plan.Sequences.Take(plan.SequenceCount).Where(s => s.TokenCount > 1).Sum(s => s.TokenCount);
            bool decodes = plan.Sequences.Take(plan.SequenceCount).Any(s => s.TokenCount == 1);
            LastMilliseconds = (decodes ? 10 : 0) + 0.25 * LastPromptTokens;
            _inner.Launch(plan);
        }

        public void Await(StepResult result)
        {
            time.Advance(TimeSpan.FromMilliseconds(LastMilliseconds));
            _inner.Await(result);
        }

        public void Dispose() => _inner.Dispose();
    }
}
