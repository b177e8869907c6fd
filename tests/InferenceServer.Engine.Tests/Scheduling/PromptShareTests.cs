using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Scheduling;
using InferenceServer.Engine.Tests.Simulation;
using Xunit;

namespace InferenceServer.Engine.Tests.Scheduling;

/// <summary>What prompts may take of a step beside decodes: the arithmetic, and the engine on a runner whose steps cost virtual time.</summary>
public sealed class PromptShareTests
{
    [Fact]
    public void Where_more_wait_for_a_first_token_than_run_prompts_take_more()
    {
        PromptShare share = new(1.5, 8);
        for (int i = 0; i < PromptShare.AloneFirst; i++) share.Observe(2, 0, 10);
        share.Observe(2, 10, 15); // half a unit a token
        Assert.Equal(10, share.Limit(2, 1, 500)); // half of ten units
        Assert.Equal(10, share.Limit(2, 2, 500));
        Assert.Equal(30, share.Limit(2, 6, 500));
        Assert.Equal(10 * PromptShare.MostWeight, share.Limit(2, 100, 500));
        Assert.Equal(25, share.Limit(2, 100, 25));
    }

    [Fact]
    public void Nothing_is_limited_when_the_policy_is_off_or_nobody_decodes()
    {
        Assert.Equal(500, new PromptShare(0, 8).Limit(8, 1, 500));
        Assert.Equal(500, new PromptShare(2, 8).Limit(0, 1, 500));
    }

    [Fact]
    public void Decodes_are_watched_alone_first_and_then_a_small_chunk_is_tried()
    {
        PromptShare share = new(2, 8);
        for (int i = 0; i < PromptShare.AloneFirst; i++)
        {
            Assert.Equal(0, share.Limit(3, 1, 500));
            share.Observe(3, 0, 10);
        }

        Assert.Equal(PromptShare.FirstTokens, share.Limit(3, 1, 500));
        Assert.Equal(5, share.Limit(3, 1, 5));
    }

    [Fact]
    public void The_share_is_what_fits_the_slowdown_at_the_measured_costs()
    {
        PromptShare share = new(3, 8);
        ObserveAlone(share, 4, 10);
        share.Observe(4, 20, 10 + 20 * 0.5);
        Assert.Equal(40, share.Limit(4, 1, 500)); // 2 * 10 / 0.5
        Assert.Equal(30, share.Limit(4, 1, 30));
        Assert.Equal(40, share.Limit(6, 1, 500)); // the nearest number of decodes below stands in
        share.Observe(6, 0, 20);
        Assert.Equal(80, share.Limit(6, 1, 500));
    }

    [Fact]
    public void A_step_of_prompts_alone_tells_what_a_token_costs()
    {
        PromptShare share = new(2, 8);
        share.Observe(0, 100, 50);
        ObserveAlone(share, 1, 10);
        Assert.Equal(20, share.Limit(1, 1, 500));
    }

    [Fact]
    public void A_prompt_always_moves()
    {
        PromptShare share = new(1.1, 8);
        ObserveAlone(share, 2, 1);
        share.Observe(2, 1, 100);
        Assert.Equal(PromptShare.LeastTokens, share.Limit(2, 1, 500));
        Assert.Equal(1, share.Limit(2, 1, 1));
    }

    [Fact]
    public void Every_so_many_steps_one_shows_what_decodes_take_alone()
    {
        PromptShare share = new(2, 8);
        ObserveAlone(share, 2, 10);
        for (int round = 0; round < 3; round++)
        {
            for (int step = 1; step < PromptShare.AloneEvery; step++)
            {
                Assert.True(share.Limit(2, 1, 500) >= PromptShare.LeastTokens, $"round {round}, step {step}");
                share.Observe(2, 10, 20);
            }

            Assert.Equal(0, share.Limit(2, 1, 500));
            share.Observe(2, 0, 10);
        }
    }

    [Fact]
    public void A_wild_step_changes_nothing()
    {
        PromptShare share = new(2, 8);
        share.Observe(1, 0, 240); // a cold one
        share.Observe(1, 0, 10);
        share.Observe(1, 0, 10);
        share.Observe(1, 10, 20);
        Assert.Equal(10, share.Limit(1, 1, 500));
        share.Observe(1, 0, 200);
        share.Observe(1, 10, 200);
        share.Observe(1, 10, 20);
        share.Observe(1, 0, 10);
        Assert.Equal(10, share.Limit(1, 1, 500));
    }

    [Fact]
    public void A_lasting_change_is_followed()
    {
        PromptShare share = new(2, 8);
        for (int i = 0; i < 5; i++) share.Observe(1, 0, 10);
        for (int i = 0; i < 5; i++) share.Observe(1, 10, 20);
        for (int i = 0; i < 3; i++) share.Observe(1, 0, 20);
        Assert.Equal(20, share.Limit(1, 1, 500));
        for (int i = 0; i < 3; i++) share.Observe(1, 10, 20 + 10 * 2);
        Assert.Equal(10, share.Limit(1, 1, 500));
    }

    [Fact]
    public void Steps_stay_within_what_was_asked_while_all_gets_dearer_and_one_in_fifty_is_wild()
    {
        // As measured on a CPU: decodes from 35 ms to 50 as contexts grow; a prompt token from 3.5 ms to 9 over 4,096 positions; a step in 50 takes 150 ms more.
        PromptShare share = new(1.75, 8);
        share.Observe(0, 128, 128 * 3.5);
        int steps = 0, within = 0, prompt = 0;
        for (; prompt < 4096; steps++)
        {
            double alone = 35 + 15 * Math.Min(1, steps / 700.0), wild = steps % 50 == 0 ? 150 : 0;
            int tokens = share.Limit(8, 1, 4096 - prompt);
            double time = alone + 3 + tokens * (3.5 + 5.5 * prompt / 4096); // 3: read for however many tokens
            if (tokens == 0) time = alone;
            within += time <= 1.85 * alone ? 1 : 0;
            share.Observe(8, tokens, time + wild);
            prompt += tokens;
        }

        Assert.True(within >= 0.99 * steps, $"{within} of {steps} steps");
        Assert.InRange(steps, 600, 1100); // it does not crawl either
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

    [Theory]
    [InlineData(2, 15)] // as many prompts as streams: half of the decodes' ten milliseconds
    [InlineData(6, 25)] // three times as many: three times as much
    public void A_burst_of_prompts_takes_as_much_more_as_it_outnumbers_the_streams(int prompts, double longest)
    {
        CostlyRunner? runner = null;
        InferenceEngine engine = Engine(1.5, time => runner = new CostlyRunner(time));
        for (int i = 0; i < 2; i++) Assert.Null(engine.Submit(EngineHarness.Request($"stream {i}", prompt: 4, maxTokens: 500, firstToken: 1 + 10 * i)).Rejection);
        for (int step = 0; step < 10; step++) engine.Loop.StepOnce();
        for (int i = 0; i < prompts; i++) Assert.Null(engine.Submit(EngineHarness.Request($"long {i}", prompt: 400, maxTokens: 1, firstToken: 100 + 10 * i)).Rejection);
        double worst = 0, computed = 0;
        while (computed < 200 * prompts)
        {
            engine.Loop.StepOnce();
            worst = Math.Max(worst, runner!.LastMilliseconds);
            computed += runner.LastPromptTokens;
        }

        Assert.InRange(worst, longest * 0.9, longest);
    }

    private static void ObserveAlone(PromptShare share, int decodes, double time)
    {
        for (int i = 0; i < PromptShare.AloneFirst; i++) share.Observe(decodes, 0, time);
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
