using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Tests.Simulation;
using Xunit;

namespace InferenceServer.Engine.Tests;

/// <summary>The step loop over 256 running sequences: no allocation, and a step time worth printing.</summary>
public class HotPathTests
{
    private const int Sequences = 256;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_step_over_256_running_sequences_allocates_nothing(int stepsInFlight)
    {
        using EngineHarness harness = Running(maxTokens: 500, stepsInFlight, out Received[] streams);
        Turn(harness, streams, 50);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Turn(harness, streams, 300);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal(0, allocated);
        Assert.Equal(Sequences, harness.Runner.LargestBatch);
        Assert.Equal(stepsInFlight - 1, harness.Runner.StepsInFlight);
    }

    private static EngineHarness Running(int maxTokens, int stepsInFlight, out Received[] streams)
    {
        RunnerLimits limits = EngineHarness.Limits(blocks: Sequences * (maxTokens / 16 + 4), blockSize: 16, context: maxTokens + 33, tokens: 1024, sequences: Sequences, stepsInFlight: stepsInFlight);
        EngineHarness harness = new(runner: new FakeRunner(limits) { Verifies = false });
        streams = new Received[Sequences];
        for (int i = 0; i < Sequences; i++)
        {
            EngineRequest request = EngineHarness.Request($"r{i}", prompt: 33, maxTokens: maxTokens, firstToken: i) with { Tenant = $"t{i % 7}", StopTokens = [5000, 5001] };
            streams[i] = harness.Accept(request);
        }

        Turn(harness, streams, 40);
        Assert.Equal(Sequences, harness.Status.SequencesRunning);
        return harness;
    }

    private static void Turn(EngineHarness harness, Received[] streams, int steps)
    {
        for (int i = 0; i < steps; i++)
        {
            harness.Engine.Loop.StepOnce();
            Drain(streams);
        }
    }

    /// <summary>As a reader who keeps up does, yet without storing what it read.</summary>
    private static void Drain(Received[] streams)
    {
        foreach (Received stream in streams)
        {
            while (stream.Generation.Events.TryRead(out _)) continue;
        }
    }
}
