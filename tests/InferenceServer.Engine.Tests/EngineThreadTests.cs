using System.Globalization;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Diagnostics;
using InferenceServer.Engine.Tests.Simulation;
using Xunit;

namespace InferenceServer.Engine.Tests;

/// <summary>The real thread: sleeping, waking, and many callers at once.</summary>
public class EngineThreadTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_idle_engine_uses_no_processor_time_and_wakes_on_a_request()
    {
        const string ThreadSelf = "/proc/thread-self";
        Assert.SkipUnless(File.Exists($"{ThreadSelf}/schedstat"), "The thread's processor time is read from Linux's /proc/thread-self/schedstat, which is not there.");
        using EngineHarness harness = new();
        string engineThread = "";
        harness.Runner.BeforeAwait = () => engineThread = $"/proc/{new DirectoryInfo(ThreadSelf).LinkTarget}/schedstat";
        harness.Engine.Start();
        await harness.Accept(EngineHarness.Request("first")).ReadToEndAsync(Cancellation);
        await Task.Delay(100, Cancellation);
        long before = NanosecondsOnCpu(engineThread);
        await Task.Delay(600, Cancellation);
        Assert.InRange(NanosecondsOnCpu(engineThread) - before, 0, 2_000_000);
        await harness.Accept(EngineHarness.Request("second")).ReadToEndAsync(Cancellation);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Many_callers_at_once_get_what_each_would_get_alone(int stepsInFlight)
    {
        RunnerLimits limits = EngineHarness.Limits(blocks: 60, blockSize: 4, context: 100, tokens: 48, sequences: 16, stepsInFlight: stepsInFlight);
        EngineOptions options = new() { MaxWaitingRequests = 64, RandomSeed = 1 };
        using FakeRunner runner = new(limits);
        using InferenceEngine engine = new(runner, options, TimeProvider.System);
        ReferenceScheduler reference = new(limits, options, failOneIn: 0);
        engine.Start();
        int[] counts = await Task.WhenAll(Enumerable.Range(0, 12).Select(caller => Task.Run(() => CallAsync(engine, reference, caller), Cancellation)));
        Assert.True(engine.Status.Healthy, engine.Status.Fault);
        Assert.Empty(await engine.CheckInvariantsAsync());
        await engine.DrainAsync(Cancellation);
        engine.Dispose();
        Assert.Equal((0, stepsInFlight > 1), (runner.StepsInFlight, runner.StepsOverlapped > 0));
        Assert.Empty(EngineInvariants.Check(engine.Loop.Snapshot()));
        Assert.Equal((0, 0, 0), (engine.Status.BlocksUsed, engine.Status.RequestsWaiting, engine.Status.SequencesRunning));
        Assert.True(counts.Sum() > 1_000, $"only {counts.Sum()} requests ran to their end");
        Assert.True(engine.Status.PreemptionsTotal > 0 && runner.Copies > 0 && engine.Status.PrefixHitsTotal > 0, "The pool was meant to be tight.");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Disposing_while_callers_submit_leaves_no_stream_open(int stepsInFlight)
    {
        for (int round = 0; round < 20; round++)
        {
            using EngineHarness harness = new(EngineHarness.Limits(stepsInFlight: stepsInFlight));
            harness.Engine.Start();
            List<Task> streams = [];
            Task submitting = Task.Run(() =>
            {
                while (harness.Engine.Submit(EngineHarness.Request(maxTokens: 50)) is { } submission && submission.Rejection?.Code != "draining")
                {
                    if (submission.Generation is { } generation) streams.Add(new Received(generation, EngineHarness.Request()).ReadToEndAsync(Cancellation));
                }
            }, Cancellation);
            await Task.Delay(3, Cancellation);
            await harness.Engine.DisposeAsync();
            await submitting;
            await Task.WhenAll(streams).WaitAsync(TimeSpan.FromSeconds(20), Cancellation);
            Assert.Equal(0, harness.Runner.StepsInFlight);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Nothing_hangs_after_the_runner_threw_with_steps_in_flight(bool inLaunch)
    {
        using EngineHarness harness = new(EngineHarness.Limits(stepsInFlight: 2));
        if (inLaunch) harness.Runner.ThrowsInLaunchOfStep = 5;
        else harness.Runner.ThrowsInAwaitOfStep = 5;
        Received[] streams = [.. Enumerable.Range(0, 3).Select(i => harness.Accept(EngineHarness.Request($"r{i}", maxTokens: 100)))];
        harness.Engine.Start();
        foreach (Received stream in streams) await stream.ReadToEndAsync(Cancellation);
        Assert.All(streams, stream => Assert.Equal(FinishReason.Error, stream.Summary!.FinishReason));
        Assert.Empty(await harness.Engine.CheckInvariantsAsync().WaitAsync(TimeSpan.FromSeconds(20), Cancellation));
        await harness.Engine.DrainAsync(Cancellation).WaitAsync(TimeSpan.FromSeconds(20), Cancellation);
        await harness.Engine.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20), Cancellation);
        Assert.Equal(0, harness.Runner.CallsAfterFault);
    }

    /// <summary>Submits, reads, and now and then goes away in the middle. Returns the requests read to their natural end.</summary>
    private static async Task<int> CallAsync(InferenceEngine engine, ReferenceScheduler reference, int caller)
    {
        Random random = new(caller);
        int complete = 0;
        for (int i = 0; i < 200; i++)
        {
            EngineRequest request = EngineHarness.Request($"{caller}/{i}", random.Next(1, 40), random.Next(1, 24), random.Next(1, 4), random.Next(1, 4)) with
            {
                Tenant = $"t{caller % 3}",
                CacheSalt = (ulong)caller % 3,
                Priority = random.Next(2),
            };
            Submission submission = engine.Submit(request);
            Assert.True(submission.Rejection is null, submission.Rejection?.Message);
            Received received = new(submission.Generation!, request);
            bool leaves = random.Next(4) == 0;
            if (leaves) _ = Task.Run(submission.Generation!.Cancel, Cancellation);
            await received.ReadToEndAsync(Cancellation);
            ReferenceOutcome expected = reference.Run(request);
            for (int choice = 0; choice < request.Choices; choice++)
            {
                List<int> tokens = received.Tokens[choice];
                Assert.Equal(expected.Choices[choice].Tokens[..tokens.Count], tokens);
                if (!leaves) Assert.Equal((expected.Choices[choice].Tokens.Length, expected.Choices[choice].Reason), (tokens.Count, received.Reasons[choice]));
            }

            if (!leaves) complete++;
        }

        return complete;
    }

    private static long NanosecondsOnCpu(string schedstat) =>
        long.Parse(File.ReadAllText(schedstat).Split(' ')[0], CultureInfo.InvariantCulture);
}
