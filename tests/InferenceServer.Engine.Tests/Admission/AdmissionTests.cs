using InferenceServer.Core.Requests;
using InferenceServer.Engine.Tests.Simulation;
using Xunit;

namespace InferenceServer.Engine.Tests.Admission;

public class AdmissionTests
{
    [Fact]
    public void A_prompt_longer_than_the_context_is_refused_with_the_numbers()
    {
        using EngineHarness harness = new(EngineHarness.Limits(context: 50));
        RequestRejected rejection = harness.Refuse(EngineHarness.Request(prompt: 50, maxTokens: 1));
        Assert.Equal((RejectionKind.Invalid, "context_length_exceeded", "prompt"), (rejection.Kind, rejection.Code, rejection.Param));
        Assert.Contains("50 tokens", rejection.Message);
        harness.Finish(harness.Accept(EngineHarness.Request("fits", prompt: 50, maxTokens: 0)));
    }

    [Fact]
    public void A_prompt_longer_than_the_pool_is_refused()
    {
        using EngineHarness harness = new(EngineHarness.Limits(blocks: 4, blockSize: 4, context: 200));
        RequestRejected rejection = harness.Refuse(EngineHarness.Request(prompt: 16, maxTokens: 1));
        Assert.Equal("context_length_exceeded", rejection.Code);
        Assert.Contains("KV cache holds 16", rejection.Message);
    }

    [Fact]
    public void The_completion_is_cut_to_what_the_context_leaves()
    {
        using EngineHarness harness = new(EngineHarness.Limits(context: 20));
        Received received = harness.Accept(EngineHarness.Request(prompt: 15, maxTokens: int.MaxValue));
        harness.Finish(received);
        Assert.Equal((5, FinishReason.Length), (received.Tokens[0].Count, received.Reasons[0]));
    }

    [Fact]
    public void What_cannot_be_right_is_refused_before_it_is_queued()
    {
        using EngineHarness harness = new();
        Assert.Equal("invalid_prompt", harness.Refuse(EngineHarness.Request(prompt: 0)).Code);
        Assert.Contains("Token 1000 at position 1", harness.Refuse(EngineHarness.Request() with { PromptTokens = [1, 1000] }).Message);
        Assert.Contains("Token -1 at position 0", harness.Refuse(EngineHarness.Request() with { PromptTokens = [-1] }).Message);
        Assert.Equal("max_tokens", harness.Refuse(EngineHarness.Request(maxTokens: -1)).Param);
        Assert.Equal("n", harness.Refuse(EngineHarness.Request(choices: 9)).Param);
        Assert.Equal("n", harness.Refuse(EngineHarness.Request(choices: 0)).Param);
        Assert.Equal(RejectionKind.Invalid, harness.Refuse(EngineHarness.Request() with { TenantWeight = double.NaN }).Kind);
        Assert.Equal(RejectionKind.DeadlineExceeded, harness.Refuse(EngineHarness.Request() with { DeadlineTimestamp = 1 }).Kind);
        Assert.Equal(0, harness.Status.RequestsWaiting);
    }

    [Fact]
    public async Task The_queue_takes_exactly_its_limit_however_many_threads_submit()
    {
        using EngineHarness harness = new(options: new EngineOptions { MaxWaitingRequests = 100 });
        int accepted = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(thread => Task.Run(() =>
        {
            for (int i = 0; i < 50; i++)
            {
                Submission submission = harness.Engine.Submit(EngineHarness.Request($"{thread}/{i}", prompt: 2));
                if (submission.Generation is not null) Interlocked.Increment(ref accepted);
                else Assert.Equal("overloaded", submission.Rejection!.Code);
            }
        })));
        Assert.Equal(100, accepted);
        Assert.Equal((100, 200L), (harness.Status.RequestsWaiting, harness.Status.TokensWaiting));
        harness.Finish();
    }

    [Fact]
    public async Task The_queue_takes_exactly_its_limit_of_tokens()
    {
        using EngineHarness harness = new(options: new EngineOptions { MaxWaitingTokens = 205 });
        int accepted = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            for (int i = 0; i < 50; i++)
            {
                if (harness.Engine.Submit(EngineHarness.Request(prompt: 10)).Generation is not null) Interlocked.Increment(ref accepted);
            }
        })));
        Assert.Equal(20, accepted);
        Assert.Equal(200, harness.Status.TokensWaiting);
    }

    [Fact]
    public void An_overloaded_engine_says_when_to_come_back_from_its_own_speed()
    {
        using EngineHarness harness = new(EngineHarness.Limits(tokens: 8, sequences: 1), new EngineOptions { MaxWaitingRequests = 10 });
        harness.Runner.BeforeAwait = () => harness.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(TimeSpan.FromSeconds(1), Fill(harness).RetryAfter);
        harness.Step(3); // 8 tokens a second
        RequestRejected later = Fill(harness);
        Assert.Equal((RejectionKind.Unavailable, "overloaded"), (later.Kind, later.Code));
        Assert.InRange(later.RetryAfter!.Value.TotalSeconds, 10, 60);
    }

    [Fact]
    public void Options_that_cannot_work_are_all_named_at_once()
    {
        EngineOptions options = new() { MaxWaitingRequests = 0, MaxWaitingTokens = 1, MaxRunningSequences = 0, TokensPerStep = 1_000 };
        ArgumentException exception = Assert.Throws<ArgumentException>(() => new EngineHarness(options: options));
        foreach (string name in new[] { "MaxWaitingRequests", "MaxWaitingTokens", "MaxRunningSequences", "TokensPerStep" })
            Assert.Contains($"{name} is ", exception.Message);
        Assert.Empty(new EngineOptions().Validate(EngineHarness.Limits()));
        Assert.Single(new EngineOptions().Validate(EngineHarness.Limits(stepsInFlight: 3)));
        Assert.Equal(3, new EngineOptions().Validate(EngineHarness.Limits(blocks: 0, tokens: 0) with { VocabularySize = 0 }).Count);
    }

    private static RequestRejected Fill(EngineHarness harness)
    {
        for (int i = 0; ; i++)
        {
            if (harness.Engine.Submit(EngineHarness.Request($"r{i}", prompt: 16, maxTokens: 50)).Rejection is { } rejection) return rejection;
        }
    }
}
