using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Diagnostics;
using InferenceServer.Engine.Tests.Simulation;
using Xunit;

namespace InferenceServer.Engine.Tests;

/// <summary>An engine over a fake runner and a virtual clock, stepped by the test; invariants are checked after each step.</summary>
internal sealed class EngineHarness : IDisposable
{
    private EngineSnapshot? _before;

    public EngineHarness(RunnerLimits? limits = null, EngineOptions? options = null, FakeRunner? runner = null, IEngineObserver? observer = null)
    {
        Runner = runner ?? new FakeRunner(limits ?? Limits());
        Engine = new InferenceEngine(Runner, options ?? new EngineOptions { RandomSeed = 1 }, Time, observer);
    }

    public VirtualTime Time { get; } = new();

    public FakeRunner Runner { get; }

    public InferenceEngine Engine { get; }

    public EngineStatus Status => Engine.Status;

    public static RunnerLimits Limits(int blocks = 64, int blockSize = 4, int context = 200, int tokens = 64, int sequences = 8, int? rows = null, int stepsInFlight = 1) => new()
    {
        VocabularySize = 1000,
        ContextLength = context,
        BlockSize = blockSize,
        BlockCount = blocks,
        MaxTokensPerStep = tokens,
        MaxSequencesPerStep = sequences,
        MaxRowsPerStep = rows ?? sequences,
        MaxStepsInFlight = stepsInFlight,
    };

    public static EngineRequest Request(string id = "r", int prompt = 8, int maxTokens = 8, int choices = 1, int firstToken = 1) => new()
    {
        RequestId = id,
        PromptTokens = [.. Enumerable.Range(firstToken, prompt)],
        MaxTokens = maxTokens,
        Choices = choices,
        Sampling = new SamplingParameters { Seed = 7 },
    };

    public Received Accept(EngineRequest request)
    {
        Submission submission = Engine.Submit(request);
        Assert.True(submission.Rejection is null, submission.Rejection?.Message);
        return new Received(submission.Generation!, request);
    }

    public RequestRejected Refuse(EngineRequest request)
    {
        Submission submission = Engine.Submit(request);
        Assert.Null(submission.Generation);
        return submission.Rejection!;
    }

    public void Step(int count = 1)
    {
        for (int i = 0; i < count; i++)
        {
            Engine.Loop.StepOnce();
            Time.Advance(TimeSpan.FromMilliseconds(10));
            EngineSnapshot now = Engine.Loop.Snapshot();
            List<string> broken = EngineInvariants.Check(now, _before);
            Assert.True(broken.Count == 0, string.Join(Environment.NewLine, broken));
            _before = now;
        }
    }

    /// <summary>Steps until the engine would sleep.</summary>
    public void Rest()
    {
        for (int turn = 0; Engine.Loop.StepOnce(); turn++) Assert.True(turn < 10_000, "The engine never comes to rest.");
        Assert.Equal(0, Runner.StepsInFlight);
    }

    /// <summary>Steps until nothing is left to do.</summary>
    public void Finish(params ReadOnlySpan<Received> streams)
    {
        for (int step = 0; Status.RequestsWaiting > 0 || Status.SequencesRunning > 0; step++)
        {
            Assert.True(step < 10_000, "The engine makes no progress.");
            Step();
        }

        foreach (Received received in streams)
        {
            received.Read();
            Assert.True(received.Finished);
        }
    }

    public void Dispose()
    {
        Engine.Dispose();
        Runner.Dispose();
    }
}
