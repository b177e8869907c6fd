using InferenceServer.Core.Requests;
using InferenceServer.Engine.Diagnostics;
using Xunit;

namespace InferenceServer.Engine.Tests.Simulation;

/// <summary>Plays one scenario step by step, checks the invariants after each, and judges every stream by the reference.</summary>
internal sealed class SimulationRun : IDisposable
{
    private const int StepsAtMost = 3_000; // many times what the largest scenario needs: past it, something no longer moves

    private static readonly TimeSpan StepTime = TimeSpan.FromMilliseconds(10);

    private readonly Scenario _scenario;
    private readonly VirtualTime _time = new();
    private readonly FakeRunner _runner;
    private readonly InferenceEngine _engine;
    private readonly ReferenceScheduler _reference;
    private readonly Received?[] _received;
    private readonly bool[] _cancelled;
    private EngineSnapshot? _before;

    public SimulationRun(Scenario scenario)
    {
        _scenario = scenario;
        _runner = new FakeRunner(scenario.Limits, scenario.FailOneIn)
        {
            ThrowsInLaunchOfStep = scenario.BreaksInLaunch ? scenario.BreaksAtStep ?? -1 : -1,
            ThrowsInAwaitOfStep = scenario.BreaksInLaunch ? -1 : scenario.BreaksAtStep ?? -1,
        };
        _engine = new InferenceEngine(_runner, scenario.Options, _time);
        _reference = new ReferenceScheduler(scenario.Limits, scenario.Options, scenario.FailOneIn);
        _received = new Received?[scenario.Requests.Length];
        _cancelled = new bool[scenario.Requests.Length];
    }

    public EngineStatus Status => _engine.Status;

    public FakeRunner Runner => _runner;

    /// <summary>The runner threw, as the scenario wanted.</summary>
    private bool Broke => _scenario.BreaksAtStep is { } step && _engine.Status is { Healthy: false } status && status.Fault!.Contains($" failed in step {step} ");

    public IEnumerable<Received> Streams => _received.OfType<Received>();

    public void Play()
    {
        int lastArrival = _scenario.Requests.Max(request => request.ArrivesAtStep);
        for (int step = 0; ; step++)
        {
            Assert.True(step < StepsAtMost, "The engine makes no progress.");
            Arrive(step);
            Interfere(step);
            bool busy = _engine.Loop.StepOnce();
            _time.Advance(StepTime);
            CheckInvariants();
            for (int i = 0; i < _received.Length; i++) Listen(i);
            if (!busy && step > lastArrival) break;
        }

        CheckAtRest();
        for (int i = 0; i < _received.Length; i++) Judge(i);
    }

    public void Dispose()
    {
        _engine.Dispose();
        _runner.Dispose();
    }

    private void Arrive(int step)
    {
        for (int i = 0; i < _scenario.Requests.Length; i++)
        {
            ScenarioRequest planned = _scenario.Requests[i];
            if (planned.ArrivesAtStep != step) continue;
            EngineRequest request = planned.DeadlineSteps is { } steps
                ? planned.Request with { DeadlineTimestamp = _time.GetTimestamp() + steps * StepTime.Ticks }
                : planned.Request;
            Submission submission = _engine.Submit(request);
            string? expected = _reference.Run(request).RejectionCode ?? (planned.DeadlineSteps == 0 ? "deadline_exceeded" : null);
            if (submission.Rejection?.Code == "engine_unhealthy")
                Assert.True(expected is null && Broke, "Refused by a healthy engine.");
            else if (submission.Rejection?.Code == "overloaded")
                Assert.True(expected is null && _engine.Status.RequestsWaiting >= _scenario.Options.MaxWaitingRequests, "Refused with room in the queue (preempted requests may fill it past its limit).");
            else
                Assert.Equal(expected, submission.Rejection?.Code);
            if (submission.Generation is { } generation) _received[i] = new Received(generation, request);
        }
    }

    private void Interfere(int step)
    {
        for (int i = 0; i < _received.Length; i++)
        {
            if (_received[i] is not { } received) continue;
            ScenarioRequest planned = _scenario.Requests[i];
            if (planned.CancelAtStep == step) Cancel(i);
            for (int choice = 0; choice < planned.StopAtStep.Length; choice++)
            {
                if (planned.StopAtStep[choice] == step) received.Generation.StopChoice(choice);
            }
        }
    }

    private void Listen(int index)
    {
        if (_received[index] is not { } received) return;
        received.Read();
        ScenarioRequest planned = _scenario.Requests[index];
        if (received.TokensTotal >= planned.CancelAfterTokens) Cancel(index);
        for (int choice = 0; choice < planned.StopAfterTokens.Length; choice++)
        {
            if (received.Tokens[choice].Count >= planned.StopAfterTokens[choice]) received.Generation.StopChoice(choice);
        }
    }

    private void Cancel(int index)
    {
        _cancelled[index] = true;
        _received[index]!.Generation.Cancel();
    }

    private void CheckInvariants()
    {
        Assert.True(_engine.Status.Healthy || Broke, _engine.Status.Fault);
        EngineSnapshot now = _engine.Loop.Snapshot();
        List<string> broken = EngineInvariants.Check(now, _before);
        Assert.True(broken.Count == 0, string.Join(Environment.NewLine, broken));
        _before = now;
    }

    private void CheckAtRest()
    {
        EngineStatus status = _engine.Status;
        Assert.Equal((0, 0, 0L, 0), (status.SequencesRunning, status.RequestsWaiting, status.TokensWaiting, status.BlocksUsed));
        Assert.Equal(0, Broke ? _runner.CallsAfterFault : _runner.StepsInFlight);
        Assert.Empty(_engine.Loop.Sequences.Ledger.Active);
        Assert.Empty(_engine.Loop.Sequences.Live);
    }

    private void Judge(int index)
    {
        if (_received[index] is not { } received) return;
        ScenarioRequest planned = _scenario.Requests[index];
        ReferenceOutcome expected = _reference.Run(planned.Request);
        Assert.True(received.Finished, $"Request {index} was never finished.");
        Assert.True(received.Generation.Events.Completion.IsCompletedSuccessfully, "A stream that was read to its end is complete.");
        for (int choice = 0; choice < expected.Choices.Length; choice++) JudgeChoice(index, choice, expected.Choices[choice]);
        if (received.PromptScores is { } scores) JudgeScores(scores, expected.PromptScores!);
        JudgeSummary(received, planned.Request);
    }

    /// <summary>What was received is what the reference gives, or its prefix where the caller or the clock cut it short.</summary>
    private void JudgeChoice(int index, int choice, ReferenceChoice expected)
    {
        ScenarioRequest planned = _scenario.Requests[index];
        Received received = _received[index]!;
        string name = $"choice {index}/{choice}";
        List<int> tokens = received.Tokens[choice];
        Assert.True(tokens.Count <= expected.Tokens.Length, $"{name} received {tokens.Count} tokens of {expected.Tokens.Length}.");
        Assert.Equal(expected.Tokens[..tokens.Count], tokens);
        Assert.Equal(expected.Logprobs[..tokens.Count], received.Logprobs[choice]);

        FinishReason reason = received.Reasons[choice];
        if (tokens.Count == expected.Tokens.Length && reason == expected.Reason) return;
        bool stoppedByCaller = planned.StopAtStep[choice] is not null || tokens.Count == planned.StopAfterTokens[choice];
        bool explained = reason switch
        {
            FinishReason.Cancelled => _cancelled[index],
            FinishReason.Deadline => planned.DeadlineSteps is not null,
            FinishReason.Stop => stoppedByCaller,
            FinishReason.Error => Broke,
            _ => false,
        };
        Assert.True(explained, $"{name} ended with {reason} after {tokens.Count} tokens; the reference ends with {expected.Reason} after {expected.Tokens.Length}.");
    }

    private static void JudgeScores(PromptLogprob[] scores, PromptLogprob[] expected)
    {
        Assert.Equal(expected.Length, scores.Length);
        for (int i = 0; i < scores.Length; i++)
        {
            Assert.Equal((expected[i].Token, expected[i].Logprob), (scores[i].Token, scores[i].Logprob));
            Assert.Equal(expected[i].Top, scores[i].Top);
        }
    }

    private void JudgeSummary(Received received, EngineRequest request)
    {
        RequestSummary summary = received.Summary!;
        Assert.Equal((request.RequestId, request.Tenant), (summary.RequestId, summary.Tenant));
        Assert.Equal((request.PromptTokens.Length, received.TokensTotal, request.Choices), (summary.PromptTokens, summary.CompletionTokens, summary.Choices));
        Assert.True(summary.CachedTokens < request.PromptTokens.Length && summary.CachedTokens % _scenario.Limits.BlockSize == 0, "Whole blocks, never the last token.");
        if (!_scenario.Options.EnablePrefixCache || (request.Sampling.PromptLogprobs is not null && request.PromptTokens.Length > 1))
            Assert.Equal(0, summary.CachedTokens);
        Assert.True(summary.ArrivedTimestamp > 0 && summary.FinishedTimestamp >= summary.ArrivedTimestamp);
        Assert.Equal(summary.CompletionTokens > 0, summary.FirstTokenTimestamp > 0);
        if (summary.CompletionTokens == 0) return;
        long[] times = [summary.ArrivedTimestamp, summary.ScheduledTimestamp, summary.FirstTokenTimestamp, summary.LastTokenTimestamp, summary.FinishedTimestamp];
        Assert.Equal(times.Order(), times);
    }
}
