using InferenceServer.Core.Requests;
using InferenceServer.Engine.Tests.Simulation;
using Xunit;

namespace InferenceServer.Engine.Tests;

/// <summary>The ways an engine can end, and what it reports, with steps in flight.</summary>
public class StepsInFlightLifecycleTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void A_fault_in_the_launch_names_the_step_that_was_launched()
    {
        using EngineHarness harness = Broken(runner => runner.ThrowsInLaunchOfStep = 3, steps: 3, out Received received);
        Assert.StartsWith("Launch failed in step 3 (batch of 1 sequences, 1 tokens, 1 rows): the device is gone", received.Errors[0]);
        Assert.Equal(1, received.TokensTotal); // the second step's was in flight, and nobody asks a dead device for it
    }

    [Fact]
    public void A_fault_in_the_await_names_the_step_that_was_awaited()
    {
        using EngineHarness harness = Broken(runner => runner.ThrowsInAwaitOfStep = 1, steps: 2, out Received received);
        Assert.StartsWith("Await failed in step 1 (batch of 1 sequences, 8 tokens, 1 rows): the kernel timed out", received.Errors[0]);
        Assert.Equal(0, received.TokensTotal);
    }

    [Fact]
    public void Disposing_reads_what_is_in_flight_and_cancels_the_rest()
    {
        EngineHarness harness = new(EngineHarness.Limits(stepsInFlight: 2));
        Received ends = harness.Accept(EngineHarness.Request("ends", maxTokens: 3));
        Received runs = harness.Accept(EngineHarness.Request("runs", maxTokens: 100, firstToken: 100));
        harness.Step(3);
        Assert.Equal(1, harness.Runner.StepsInFlight);
        harness.Dispose();
        ends.Read();
        runs.Read();
        Assert.Equal((3, FinishReason.Length), (ends.TokensTotal, ends.Reasons[0]));
        Assert.Equal((3, FinishReason.Cancelled), (runs.TokensTotal, runs.Reasons[0]));
        Assert.Equal((0, 0), (harness.Runner.StepsInFlight, harness.Status.BlocksUsed));
    }

    [Fact]
    public void Disposing_ends_every_stream_though_the_runner_throws_from_the_last_await()
    {
        EngineHarness harness = new(EngineHarness.Limits(stepsInFlight: 2));
        harness.Runner.ThrowsInAwaitOfStep = 3;
        Received received = harness.Accept(EngineHarness.Request(maxTokens: 100));
        harness.Step(3);
        harness.Dispose();
        received.Read();
        Assert.Equal((FinishReason.Error, 2), (received.Reasons[0], received.TokensTotal));
        Assert.StartsWith("Await failed in step 3 ", harness.Status.Fault);
        Assert.Equal(0, harness.Runner.CallsAfterFault);
    }

    [Fact]
    public async Task A_drain_ends_with_the_last_request_and_the_engine_rests_with_nothing_in_flight()
    {
        using EngineHarness harness = new(EngineHarness.Limits(stepsInFlight: 2));
        Received received = harness.Accept(EngineHarness.Request(maxTokens: 5));
        harness.Step(2);
        Task drain = harness.Engine.DrainAsync(Cancellation);
        Assert.False(drain.IsCompleted);
        harness.Finish(received);
        await drain;
        harness.Rest();
        Assert.Equal(5, received.TokensTotal);
    }

    [Fact]
    public async Task A_drain_whose_time_is_up_drops_the_tokens_in_flight()
    {
        using EngineHarness harness = new(EngineHarness.Limits(stepsInFlight: 2));
        Received received = harness.Accept(EngineHarness.Request(maxTokens: 100));
        using CancellationTokenSource time = new();
        Task drain = harness.Engine.DrainAsync(time.Token);
        harness.Step(3);
        await time.CancelAsync();
        harness.Rest();
        await drain;
        received.Read();
        Assert.Equal((2, FinishReason.Cancelled), (received.TokensTotal, received.Reasons[0]));
    }

    [Fact]
    public async Task The_invariants_can_be_asked_for_with_a_step_in_flight()
    {
        using EngineHarness harness = new(EngineHarness.Limits(stepsInFlight: 2));
        harness.Accept(EngineHarness.Request(maxTokens: 100));
        harness.Step(4);
        Assert.Equal(1, harness.Runner.StepsInFlight);
        Task<IReadOnlyList<string>> broken = harness.Engine.CheckInvariantsAsync();
        harness.Step();
        Assert.Empty(await broken);
    }

    [Fact]
    public void Times_of_steps_that_overlap_add_up_to_the_clocks()
    {
        StepTimes times = new();
        using EngineHarness harness = new(EngineHarness.Limits(stepsInFlight: 2), observer: times);
        harness.Runner.BeforeAwait = () => harness.Time.Advance(TimeSpan.FromMilliseconds(7));
        long start = harness.Time.GetTimestamp();
        Received received = harness.Accept(EngineHarness.Request(maxTokens: 20));
        harness.Rest();
        received.Read();
        Assert.Equal(20, received.TokensTotal);
        Assert.Equal(Enumerable.Repeat(TimeSpan.FromMilliseconds(7).Ticks, 20), times.Elapsed);
        Assert.Equal(harness.Time.GetTimestamp() - start, times.Elapsed.Sum());
    }

    private static EngineHarness Broken(Action<FakeRunner> setUp, int steps, out Received received)
    {
        EngineHarness harness = new(EngineHarness.Limits(stepsInFlight: 2));
        setUp(harness.Runner);
        received = harness.Accept(EngineHarness.Request(maxTokens: 50));
        harness.Step(steps);
        received.Read();
        Assert.Equal(FinishReason.Error, received.Summary!.FinishReason);
        Assert.Equal((0, 0), (harness.Status.BlocksUsed, harness.Runner.CallsAfterFault));
        Assert.Equal("engine_unhealthy", harness.Refuse(EngineHarness.Request()).Code);
        Assert.False(harness.Engine.Loop.StepOnce());
        return harness;
    }

    private sealed class StepTimes : IEngineObserver
    {
        public List<long> Elapsed { get; } = [];

        public void StepFinished(int tokens, int sequences, long elapsedTicks) => Elapsed.Add(elapsedTicks);

        public void TokenEmitted(long sincePreviousTicks)
        {
        }

        public void RequestFinished(RequestSummary summary)
        {
        }
    }
}
