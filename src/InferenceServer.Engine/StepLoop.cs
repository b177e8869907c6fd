using System.Diagnostics;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Admission;
using InferenceServer.Engine.Blocks;
using InferenceServer.Engine.Diagnostics;
using InferenceServer.Engine.Scheduling;

namespace InferenceServer.Engine;

/// <summary>
/// One turn: take commands, expire deadlines, plan and launch a step, await the oldest in flight, apply its results. Driven by the engine thread,
/// or by a test that calls <see cref="StepOnce"/> itself; never by two threads at once.
/// </summary>
/// <remarks>
/// On a runner that takes two steps, the next one is planned and launched before the one in flight is awaited, so that the device
/// never waits for the host: tokens that nobody has read yet feed back on the device. Where the next plan needs them on the host,
/// the turn awaits instead, and a runner that takes one step is merely the one where this is always so.
/// </remarks>
internal sealed class StepLoop
{
    private const double SpeedSmoothing = 0.1; // about the last ten steps: Retry-After should follow load, not noise

    private readonly IModelRunner _runner;
    private readonly TimeProvider _time;
    private readonly IEngineObserver? _observer;
    private readonly CommandQueue _commands;
    private readonly AdmissionGate _gate;
    private readonly Flight _flight;
    private readonly StepResult _result;
    private readonly SequenceSet _set;
    private readonly PromptShare _share;
    private readonly Scheduler _scheduler;
    private readonly RequestEnder _ender;
    private readonly StepResults _results;
    private readonly StatusBoard _status;
    private long _nextDeadline = long.MaxValue; // none of the live requests has an earlier one
    private long _lastFinished; // when the step before was awaited
    private double _tokensPerSecond;
    private string? _fault;
    private long _checkedAtStep;
    private string _call = ""; // what is being done, and with which step, for the fault
    private StepInFlight _step;

    public StepLoop(IModelRunner runner, EngineOptions options, TimeProvider time, IEngineObserver? observer, CommandQueue commands, AdmissionGate gate)
    {
        RunnerLimits limits = runner.Limits;
        int tokensPerStep = options.TokensPerStep ?? limits.MaxTokensPerStep;
        int seats = SeatsFor(options, limits);
        (_runner, _time, _observer, _commands, _gate) = (runner, time, observer, commands, gate);
        _flight = new Flight(limits.MaxStepsInFlight, tokensPerStep, seats, limits.MaxRowsPerStep);
        _step = _flight.Next;
        _result = new StepResult(limits.MaxRowsPerStep);
        _set = new SequenceSet(new BlockPool(limits.BlockCount, limits.BlockSize, options.EnablePrefixCache), gate, seats);
        _share = new PromptShare(options.DecodeSlowdown, seats);
        _scheduler = new Scheduler(_set, tokensPerStep, limits.MaxRowsPerStep, _share);
        _ender = new RequestEnder(_set, observer);
        _results = new StepResults(_set, _ender, _result, observer);
        _status = new StatusBoard(gate, _set.Pool);
    }

    public EngineStatus Status => _status.Read();

    /// <summary>What broke the engine, for the log; null while it is healthy.</summary>
    public Exception? Fault { get; private set; }

    /// <summary>Engine thread, or a test between steps.</summary>
    public SequenceSet Sequences => _set;

    /// <summary>A copy of all state. Engine thread, or a test between steps.</summary>
    public EngineSnapshot Snapshot() => EngineSnapshot.Take(_set, _flight, _gate);

    /// <summary>Sequences that can run at once: a token and a row of every step is theirs.</summary>
    public static int SeatsFor(EngineOptions options, RunnerLimits limits) =>
        Math.Min(options.MaxRunningSequences, Math.Min(limits.MaxSequencesPerStep, options.TokensPerStep ?? limits.MaxTokensPerStep));

    /// <summary>False when there is nothing to do, and nothing in flight.</summary>
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

    /// <summary>Applies the steps in flight, so that the runner is at rest, and ends whatever is left. The last call.</summary>
    public void Stop()
    {
        try
        {
            TakeCommands(_time.GetTimestamp());
            while (_flight.Count > 0) AwaitOldest();
        }
        catch (Exception exception)
        {
            Fail(exception);
        }

        CancelAll(FinishReason.Cancelled);
    }

    private bool Step()
    {
        long start = _time.GetTimestamp();
        _call = "Plan";
        TakeCommands(start);
        if (start >= _nextDeadline) ExpireDeadlines(start);
        _set.Sweep();
        if (_set.Live.Count == 0 && _flight.Count == 0)
        {
            _status.Publish(_set);
            Debug.Assert(_checkedAtStep == _set.Counters.Steps || IsSoundAtRest(), "An engine at rest keeps every invariant.");
            return false;
        }

        bool launched = CanPlan() && TryLaunch(start);
        if (_flight.IsFull || !launched) AwaitOldest();
        else Settle();
        return true;
    }

    private bool CanPlan()
    {
        if (_flight.Count == 0) return true;
        return _set.Live.Count > 0 && FeedsBack(_flight[_flight.Count - 1]) && _scheduler.CanPlanWithoutPreemption();
    }

    /// <summary>
    /// Whether the next step can be planned before this one's results are read. Scores stay with the host. A fork's choices are copied apart
    /// in the next step, which changes a block table that this one may still read.
    /// </summary>
    private bool FeedsBack(StepInFlight step)
    {
        for (int i = 0; i < step.Plan.RowCount; i++)
        {
            ref readonly LogitsRow row = ref step.Plan.Rows[i];
            bool forks = !ReferenceEquals(step.RowOwners[i], step.Planned[row.Sequence]);
            if (row.Kind != LogitsRowKind.Sample || forks || !_runner.CanFeedBack(in row)) return false;
        }

        return true;
    }

    /// <summary>False, and nothing launched, when all that lives waits for what is in flight.</summary>
    private bool TryLaunch(long start)
    {
        _step = _flight.Next;
        _scheduler.Plan(_step, _set.Counters.Steps + 1, start);
        Debug.Assert(_step.Plan.SequenceCount > 0 || _flight.Count > 0, "While a request lives, every step does something.");
        if (_step.Plan.SequenceCount == 0) return false;
        _set.Counters.Steps++;
        _call = "Launch";
        _runner.Launch(_step.Plan);
        _flight.Add();
        _results.Expect(_step);
        return true;
    }

    private void AwaitOldest()
    {
        _step = _flight.Take();
        _call = "Await";
        _runner.Await(_result);
        _call = "Apply";
        long now = _time.GetTimestamp();
        _results.Apply(_step, now);
        Settle();
        Report(_step, now);
    }

    private void Settle()
    {
        _set.Sweep();
        _status.Publish(_set);
    }

    private void TakeCommands(long now)
    {
        while (_commands.TryTake(out EngineCommand command)) Apply(command, now);
    }

    /// <summary>Ends everything that was accepted.</summary>
    private void CancelAll(FinishReason reason, string? error = null)
    {
        long now = _time.GetTimestamp();
        for (int i = _set.Live.Count - 1; i >= 0; i--) _ender.FinishAll(_set.Live[i], reason, now, error);
        Settle();
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

    /// <summary>A step's time begins when the one before ends, if it was planned earlier: times of steps add up to no more than the clock's.</summary>
    private void Report(StepInFlight step, long now)
    {
        long elapsed = now - Math.Max(step.PlannedTimestamp, _lastFinished);
        _lastFinished = now;
        if (elapsed > 0)
        {
            double speed = step.Plan.TokenCount * (double)_time.TimestampFrequency / elapsed;
            _tokensPerSecond = _tokensPerSecond == 0 ? speed : _tokensPerSecond + SpeedSmoothing * (speed - _tokensPerSecond);
            _gate.ReportSpeed(_tokensPerSecond);
            int decodes = step.Decodes;
            _share.Observe(decodes, step.Plan.TokenCount - decodes, elapsed);
        }

        _observer?.StepFinished(step.Plan.TokenCount, step.Plan.SequenceCount, elapsed);
    }

    /// <summary>The runner is not called again: a device that threw may never answer for what is still in flight.</summary>
    private void Fail(Exception exception)
    {
        StepPlan plan = _step.Plan;
        Fault ??= exception;
        _fault ??= $"{_call} failed in step {plan.StepIndex} (batch of {plan.SequenceCount} sequences, {plan.TokenCount} tokens, {plan.RowCount} rows): {exception.Message}";
        _gate.Fail(_fault);
        _flight.Abandon();
        CancelAll(FinishReason.Error, _fault);
    }
}
