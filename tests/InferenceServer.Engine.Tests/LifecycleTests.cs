using InferenceServer.Core.Requests;
using InferenceServer.Engine.Tests.Simulation;
using Xunit;

namespace InferenceServer.Engine.Tests;

/// <summary>All the ways a request can end, and the engine with it.</summary>
public class LifecycleTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void Cancelling_frees_the_blocks_within_one_step()
    {
        using EngineHarness harness = new();
        Received gone = harness.Accept(EngineHarness.Request("gone", prompt: 20, maxTokens: 100, choices: 3));
        Received stays = harness.Accept(EngineHarness.Request("stays", prompt: 4, maxTokens: 20, firstToken: 100));
        harness.Step(3);
        gone.Generation.Cancel();
        harness.Step();
        gone.Read();
        Assert.All(gone.Reasons, reason => Assert.Equal(FinishReason.Cancelled, reason));
        Assert.Equal(2, harness.Status.BlocksUsed);
        gone.Generation.Cancel(); // again: nothing
        harness.Finish(stays);
        Assert.Equal(FinishReason.Length, stays.Reasons[0]);
    }

    [Fact]
    public void Stopping_a_choice_ends_it_with_exactly_what_was_received()
    {
        using EngineHarness harness = new();
        Received received = harness.Accept(EngineHarness.Request(maxTokens: 10, choices: 2));
        harness.Step(4);
        received.Read();
        int tokens = received.Tokens[1].Count;
        received.Generation.StopChoice(1);
        harness.Finish(received);
        Assert.Equal((tokens, FinishReason.Stop), (received.Tokens[1].Count, received.Reasons[1]));
        Assert.Equal((10, FinishReason.Length), (received.Tokens[0].Count, received.Reasons[0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => received.Generation.StopChoice(2));
    }

    [Fact]
    public void A_stop_token_is_the_last_token_and_counted()
    {
        using EngineHarness harness = new();
        Received free = harness.Accept(EngineHarness.Request("free", maxTokens: 6));
        harness.Finish(free);
        Received stopped = harness.Accept(EngineHarness.Request("stopped", maxTokens: 6) with { StopTokens = [free.Tokens[0][3]] });
        harness.Finish(stopped);
        Assert.Equal(free.Tokens[0][..4], stopped.Tokens[0]);
        Assert.Equal((FinishReason.Stop, 4), (stopped.Summary!.FinishReason, stopped.Summary.CompletionTokens));
    }

    [Fact]
    public void A_deadline_ends_requests_that_run_and_requests_that_wait()
    {
        using EngineHarness harness = new(EngineHarness.Limits(sequences: 1));
        long deadline = harness.Time.GetTimestamp() + TimeSpan.FromMilliseconds(35).Ticks;
        Received runs = harness.Accept(EngineHarness.Request("runs", maxTokens: 100) with { DeadlineTimestamp = deadline });
        Received waits = harness.Accept(EngineHarness.Request("waits", maxTokens: 100) with { DeadlineTimestamp = deadline });
        harness.Step(5); // 10 ms each
        runs.Read();
        waits.Read();
        Assert.Equal((FinishReason.Deadline, 4), (runs.Summary!.FinishReason, runs.Tokens[0].Count));
        Assert.Equal((FinishReason.Deadline, 0L), (waits.Summary!.FinishReason, waits.Summary.ScheduledTimestamp));
        Assert.Equal((0, 0), (harness.Status.BlocksUsed, harness.Status.RequestsWaiting));
    }

    [Fact]
    public void No_tokens_asked_for_computes_the_prompt_alone()
    {
        using EngineHarness harness = new(EngineHarness.Limits(tokens: 8));
        EngineRequest request = EngineHarness.Request(prompt: 20, maxTokens: 0) with { Sampling = new SamplingParameters { PromptLogprobs = 2 } };
        Received received = harness.Accept(request);
        harness.Finish(received);
        Assert.Equal((FinishReason.Length, 0), (received.Summary!.FinishReason, received.Summary.CompletionTokens));
        Assert.True(float.IsNaN(received.PromptScores![0].Logprob));
        Assert.All(received.PromptScores[1..], score => Assert.Equal(2, score.Top!.Length));
    }

    [Fact]
    public void Requests_without_a_seed_differ_and_an_engine_with_one_repeats_itself()
    {
        List<int> Play(out List<int> second)
        {
            using EngineHarness harness = new(options: new EngineOptions { RandomSeed = 5 });
            EngineRequest request = EngineHarness.Request() with { Sampling = new SamplingParameters() };
            Received one = harness.Accept(request), two = harness.Accept(request);
            harness.Finish(one, two);
            second = two.Tokens[0];
            return one.Tokens[0];
        }

        List<int> first = Play(out List<int> second);
        Assert.NotEqual(first, second);
        Assert.Equal(first, Play(out _));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_broken_runner_ends_every_stream_with_a_sentence_and_the_engine_refuses(bool inLaunch)
    {
        using EngineHarness harness = new(EngineHarness.Limits(sequences: 2));
        if (inLaunch) harness.Runner.ThrowsInLaunchOfStep = 3;
        else harness.Runner.ThrowsInAwaitOfStep = 3;
        Received[] streams = [.. Enumerable.Range(0, 4).Select(i => harness.Accept(EngineHarness.Request($"r{i}", maxTokens: 50)))];
        harness.Step(3);
        string call = inLaunch ? "Launch" : "Await";
        foreach (Received stream in streams)
        {
            stream.Read();
            Assert.Equal(FinishReason.Error, stream.Summary!.FinishReason);
            Assert.StartsWith($"{call} failed in step 3 (batch of 2 sequences, 2 tokens, 2 rows): ", stream.Errors[0]);
        }

        Assert.False(harness.Status.Healthy);
        Assert.IsType<InvalidOperationException>(harness.Engine.Fault);
        Assert.Equal(streams[0].Errors[0], harness.Status.Fault);
        Assert.Equal((0, 0, 0), (harness.Status.BlocksUsed, harness.Status.SequencesRunning, harness.Status.RequestsWaiting));
        RequestRejected rejection = harness.Refuse(EngineHarness.Request());
        Assert.Equal((RejectionKind.Unavailable, "engine_unhealthy"), (rejection.Kind, rejection.Code));
        Assert.False(harness.Engine.Loop.StepOnce());
    }

    [Fact]
    public async Task Draining_takes_nothing_new_and_ends_with_the_last_request()
    {
        using EngineHarness harness = new();
        Received received = harness.Accept(EngineHarness.Request());
        Task drain = harness.Engine.DrainAsync(Cancellation);
        Assert.Equal("draining", harness.Refuse(EngineHarness.Request()).Code);
        Assert.True(harness.Status.Draining && !drain.IsCompleted);
        harness.Finish(received);
        await drain;
        Assert.Equal(FinishReason.Length, received.Reasons[0]);
    }

    [Fact]
    public async Task A_drain_whose_time_is_up_cancels_the_rest()
    {
        using EngineHarness harness = new();
        Received received = harness.Accept(EngineHarness.Request(maxTokens: 100));
        using CancellationTokenSource time = new();
        Task drain = harness.Engine.DrainAsync(time.Token);
        harness.Step(2);
        await time.CancelAsync();
        harness.Step();
        await drain;
        received.Read();
        Assert.Equal(FinishReason.Cancelled, received.Reasons[0]);
    }

    [Fact]
    public void Disposing_ends_what_was_accepted()
    {
        EngineHarness harness = new();
        Received runs = harness.Accept(EngineHarness.Request("runs", maxTokens: 100));
        harness.Step(2);
        Received untouched = harness.Accept(EngineHarness.Request("untouched"));
        harness.Dispose();
        runs.Read();
        untouched.Read();
        Assert.Equal((FinishReason.Cancelled, FinishReason.Cancelled), (runs.Reasons[0], untouched.Reasons[0]));
        runs.Generation.Cancel(); // a late caller does no harm
        Assert.Equal("draining", harness.Refuse(EngineHarness.Request()).Code);
        Assert.Throws<ObjectDisposedException>(harness.Engine.Start);
    }

    [Fact]
    public void The_observer_hears_every_token_step_and_end()
    {
        CountingObserver observer = new();
        using EngineHarness harness = new(observer: observer);
        harness.Finish(harness.Accept(EngineHarness.Request(maxTokens: 5, choices: 2)));
        Assert.Equal((10, 2, 5, 1), (observer.Tokens, observer.FirstTokens, observer.Steps, observer.Requests));
        Assert.Equal(8 + 2 * 4, observer.TokensComputed);
    }

    private sealed class CountingObserver : IEngineObserver
    {
        public int Steps, Tokens, FirstTokens, Requests, TokensComputed;

        public void StepFinished(int tokens, int sequences, long elapsedTicks)
        {
            Steps++;
            TokensComputed += tokens;
        }

        public void TokenEmitted(long sincePreviousTicks)
        {
            Tokens++;
            if (sincePreviousTicks == 0) FirstTokens++;
        }

        public void RequestFinished(RequestSummary summary) => Requests++;
    }
}
