using InferenceServer.Core.Requests;
using InferenceServer.Engine.Tests.Simulation;
using Xunit;

namespace InferenceServer.Engine.Tests.Scheduling;

public class PrefixCacheTests
{
    [Fact]
    public void An_equal_prompt_computes_only_what_is_not_cached_and_always_its_last_token()
    {
        using EngineHarness harness = new();
        Received first = harness.Accept(EngineHarness.Request("first", prompt: 12, maxTokens: 1));
        harness.Finish(first);
        Received second = harness.Accept(EngineHarness.Request("second", prompt: 12, maxTokens: 1));
        harness.Finish(second);
        Assert.Equal(0, first.Summary!.CachedTokens);
        Assert.Equal(8, second.Summary!.CachedTokens); // the third block holds the last token and is computed anew
        Assert.Equal(12 + 4, harness.Runner.Tokens);
        Assert.Equal(first.Tokens[0], second.Tokens[0]);
    }

    [Fact]
    public void A_follow_up_finds_the_completion_too()
    {
        using EngineHarness harness = new();
        Received first = harness.Accept(EngineHarness.Request("first", prompt: 8, maxTokens: 9));
        harness.Finish(first);
        EngineRequest next = EngineHarness.Request("next") with { PromptTokens = [.. Enumerable.Range(1, 8), .. first.Tokens[0], 1, 2] };
        Received second = harness.Accept(next);
        harness.Finish(second);
        Assert.Equal(16, second.Summary!.CachedTokens);
    }

    [Fact]
    public void Other_salts_share_nothing()
    {
        using EngineHarness harness = new();
        harness.Finish(harness.Accept(EngineHarness.Request("mine", prompt: 16) with { CacheSalt = 1 }));
        Received other = harness.Accept(EngineHarness.Request("other", prompt: 16) with { CacheSalt = 2 });
        Received same = harness.Accept(EngineHarness.Request("same", prompt: 16) with { CacheSalt = 1 });
        harness.Finish(other, same);
        Assert.Equal(0, other.Summary!.CachedTokens);
        Assert.Equal(12, same.Summary!.CachedTokens);
    }

    [Fact]
    public void Running_requests_share_blocks_without_copies()
    {
        using EngineHarness harness = new();
        Received first = harness.Accept(EngineHarness.Request("first", prompt: 17, maxTokens: 20));
        harness.Step(2);
        int blocks = harness.Status.BlocksUsed;
        Received second = harness.Accept(EngineHarness.Request("second", prompt: 17, maxTokens: 20));
        harness.Step();
        Assert.Equal(blocks + 1, harness.Status.BlocksUsed);
        harness.Finish(first, second);
        Assert.Equal(16, second.Summary!.CachedTokens);
    }

    [Fact]
    public void Look_ups_are_counted_once_a_request_though_admission_is_retried_and_preemption_resumes()
    {
        using EngineHarness harness = new(EngineHarness.Limits(blocks: 10, blockSize: 4, context: 40, sequences: 4));
        Received[] streams = [.. Enumerable.Range(0, 5).Select(i => harness.Accept(EngineHarness.Request($"r{i}", prompt: 9, maxTokens: 20)))];
        harness.Finish(streams);
        Assert.True(harness.Status.PreemptionsTotal > 0);
        Assert.Equal(5 * 9, harness.Status.PrefixQueriesTotal);
        Assert.Equal(5 * 9, harness.Status.PromptTokensTotal);
        Assert.Equal(streams.Sum(stream => stream.Summary!.CachedTokens), harness.Status.PrefixHitsTotal);
    }

    [Fact]
    public void A_preempted_sequence_finds_its_blocks_again()
    {
        // Two of 8 + 16 tokens over 9 blocks of 4: the later one is preempted once and resumes when the first has ended.
        using EngineHarness harness = new(EngineHarness.Limits(blocks: 9, blockSize: 4, context: 36));
        Received first = harness.Accept(EngineHarness.Request("first", prompt: 8, maxTokens: 16));
        Received second = harness.Accept(EngineHarness.Request("second", prompt: 8, maxTokens: 16, firstToken: 100));
        harness.Finish(first, second);
        Assert.Equal(1, second.Summary!.Preemptions);
        Assert.True(harness.Runner.Tokens < 8 + 15 + 8 + 15 + 12, "Most of what was computed before the preemption is found.");
    }

    [Fact]
    public void Prompt_scores_need_the_prompt_computed()
    {
        using EngineHarness harness = new();
        harness.Finish(harness.Accept(EngineHarness.Request("first", prompt: 16)));
        EngineRequest scored = EngineHarness.Request("scored", prompt: 16) with { Sampling = new SamplingParameters { Seed = 1, PromptLogprobs = 0 } };
        Received received = harness.Accept(scored);
        harness.Finish(received);
        Assert.Equal(0, received.Summary!.CachedTokens);
        Assert.Equal(16, received.PromptScores!.Length);
    }

    [Fact]
    public void Switched_off_it_caches_nothing()
    {
        using EngineHarness harness = new(options: new EngineOptions { EnablePrefixCache = false });
        harness.Finish(harness.Accept(EngineHarness.Request("first", prompt: 16)));
        Received second = harness.Accept(EngineHarness.Request("second", prompt: 16));
        harness.Finish(second);
        Assert.Equal((0, 0L, 0), (second.Summary!.CachedTokens, harness.Status.PrefixQueriesTotal, harness.Status.BlocksCached));
    }
}
