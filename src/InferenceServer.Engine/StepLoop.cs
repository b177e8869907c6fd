using System.Diagnostics;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Admission;
using InferenceServer.Engine.Blocks;
using InferenceServer.Engine.Diagnostics;
using InferenceServer.Engine.Scheduling;

namespace InferenceServer.Engine;

/// <summary>
/// One turn: take commands, expire deadlines, plan, run the model, apply the results. Driven by the engine thread,
/// or by a test that calls <see cref="StepOnce"/> itself; never by two threads at once.
/// </summary>
internal sealed class StepLoop
{
    private const double SpeedSmoothing = 0.1; // about the last ten steps: Retry-After should follow load, not noise

    private readonly IModelRunner _runner;
    private readonly TimeProvider _time;
    private readonly IEngineObserver? _observer;
    private readonly CommandQueue _commands;
    private readonly AdmissionGate _gate;
    private readonly StepPlan _plan;
    private readonly StepResult _result;
    private readonly SequenceSet _set;
    private readonly Scheduler _scheduler;
    private readonly RequestEnder _ender;
    private readonly StepResults _results;
    private readonly StatusBoard _status;
    private long _nextDeadline = long.MaxValue; // none of the live requests has an earlier one
    private double _tokensPerSecond;
    private string? _fault;
    private long _checkedAtStep;
    private string _call = "";

    public StepLoop(IModelRunner runner, EngineOptions options, TimeProvider time, IEngineObserver? observer, CommandQueue commands, AdmissionGate gate)
    {
        RunnerLimits limits = runner.Limits;
        int tokensPerStep = options.TokensPerStep ?? limits.MaxTokensPerStep;
        int seats = SeatsFor(options, limits);
        (_runner, _time, _observer, _commands, _gate) = (runner, time, observer, commands, gate);
        _plan = new StepPlan(tokensPerStep, seats, limits.MaxRowsPerStep);
        _result = new StepResult(limits.MaxRowsPerStep);
        _set = new SequenceSet(new BlockPool(limits.BlockCount, limits.BlockSize, options.EnablePrefixCache), gate, seats);
        _scheduler = new Scheduler(_set, _plan, tokensPerStep);
        _ender = new RequestEnder(_set, observer);
        _results = new StepResults(_set, _scheduler, _ender, _plan, _result, observer);
        _status = new StatusBoard(gate, _set.Pool);
    }

    public EngineStatus Status => _status.Read();

    /// <summary>What broke the engine, for the log; null while it is healthy.</summary>
    public Exception? Fault { get; private set; }

    /// <summary>Engine thread, or a test between steps.</summary>
    public SequenceSet Sequences => _set;

    /// <summary>A copy of all state. Engine thread, or a test between steps.</summary>
    public EngineSnapshot Snapshot() => EngineSnapshot.Take(_set, _gate);

    /// <summary>Sequences that can run at once: a token and a row of every step is theirs.</summary>
    public static int SeatsFor(EngineOptions options, RunnerLimits limits) =>
        Math.Min(options.MaxRunningSequences, Math.Min(limits.MaxSequencesPerStep, options.TokensPerStep ?? limits.MaxTokensPerStep));

    /// <summary>False when there is nothing to do.</summary>
    public bool StepOnce()
    {
        try
        {
            return Step();
        }
        catch (Exception exception)
        {
            Fail(exception);
            return true;
        }
    }

    /// <summary>Ends everything that was accepted. The engine takes nothing more.</summary>
    public void CancelAll(FinishReason reason, string? error = null)
    {
        long now = _time.GetTimestamp();
        for (int i = _set.Live.Count - 1; i >= 0; i--) _ender.FinishAll(_set.Live[i], reason, now, error);
        _set.Sweep();
        _status.Publish(_set);
    }

    /// <summary>Takes what was sent so far.</summary>
    public void TakeCommands(long now)
    {
        while (_commands.TryTake(out EngineCommand command)) Apply(command, now);
    }

    private bool Step()
    {
        long start = _time.GetTimestamp();
        _call = "Plan";
        TakeCommands(start);
        if (start >= _nextDeadline) ExpireDeadlines(start);
        _set.Sweep();
        if (_set.Live.Count == 0)
        {
            _status.Publish(_set);
            Debug.Assert(_checkedAtStep == _set.Counters.Steps || IsSoundAtRest(), "An engine at rest keeps every invariant.");
            return false;
        }

        _scheduler.Plan(_set.Counters.Steps + 1, start);
        _set.Counters.Steps++;
        _call = "Launch";
        _runner.Launch(_plan);
        _call = "Await";
        _runner.Await(_result);
        _call = "Apply";
        long now = _time.GetTimestamp();
        _results.Apply(now);
        _set.Sweep();
        Report(now - start);
        return true;
    }

    /// <summary>Debug builds only, once each time the work runs out.</summary>
    private bool IsSoundAtRest()
    {
        _checkedAtStep = _set.Counters.Steps;
        return EngineInvariants.Check(Snapshot()).Count == 0;
    }

    private void Apply(EngineCommand command, long now)
    {
        switch (command.Kind)
        {
            case EngineCommandKind.Submit:
                _set.Arrive(command.Request!);
                _nextDeadline = Math.Min(_nextDeadline, command.Request!.DeadlineTimestamp);
                if (_fault is not null) _ender.FinishAll(command.Request!, FinishReason.Error, now, _fault);
                break;
            case EngineCommandKind.Cancel:
                _ender.FinishAll(command.Request!, FinishReason.Cancelled, now);
                break;
            case EngineCommandKind.StopChoice:
                _ender.FinishChoice(command.Request!.Sequences[command.Choice], FinishReason.Stop, now);
                break;
            case EngineCommandKind.CancelAll:
                CancelAll(FinishReason.Cancelled);
                break;
            case EngineCommandKind.Check:
                _set.Sweep(); // what a command before this one ended
                command.Broken!.SetResult(EngineInvariants.Check(Snapshot()));
                break;
        }
    }

    private void ExpireDeadlines(long now)
    {
        _nextDeadline = long.MaxValue;
        for (int i = _set.Live.Count - 1; i >= 0; i--)
        {
            RequestState request = _set.Live[i]; // ending it moves the last one here, which was looked at already
            if (request.DeadlineTimestamp <= now) _ender.FinishAll(request, FinishReason.Deadline, now);
            else _nextDeadline = Math.Min(_nextDeadline, request.DeadlineTimestamp);
        }
    }

    private void Report(long elapsed)
    {
        if (elapsed > 0)
        {
            double speed = _plan.TokenCount * (double)_time.TimestampFrequency / elapsed;
            _tokensPerSecond = _tokensPerSecond == 0 ? speed : _tokensPerSecond + SpeedSmoothing * (speed - _tokensPerSecond);
            _gate.ReportSpeed(_tokensPerSecond);
        }

        _status.Publish(_set);
        _observer?.StepFinished(_plan.TokenCount, _plan.SequenceCount, elapsed);
    }

    private void Fail(Exception exception)
    {
        Fault ??= exception;
        _fault ??= $"{_call} failed in step {_plan.StepIndex} (batch of {_plan.SequenceCount} sequences, {_plan.TokenCount} tokens, {_plan.RowCount} rows): {exception.Message}";
        _gate.Fail(_fault);
        CancelAll(FinishReason.Error, _fault);
    }
}
