using InferenceServer.Core.Requests;
using InferenceServer.Engine.Scheduling;

namespace InferenceServer.Engine.Admission;

/// <summary>
/// The bounded queue's door. Counts what waits and what is outstanding; checks and counts under one lock, so that
/// the bounds are exact however many threads submit. Held for nanoseconds, never across a step. Thread-safe.
/// </summary>
internal sealed class AdmissionGate(EngineOptions options, CommandQueue commands)
{
    private static readonly TimeSpan ShortestRetry = TimeSpan.FromSeconds(1); // Retry-After counts whole seconds
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(60); // past a minute an estimate is a guess

    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _requestsWaiting;
    private long _tokensWaiting;
    private int _requestsLive;
    private long _accepted;
    private bool _draining;
    private string? _fault;
    private double _tokensPerSecond;

    /// <summary>Completes when draining and nothing accepted is left.</summary>
    public Task Drained => _drained.Task;

    /// <summary>Completes when the engine has failed.</summary>
    public Task Failed => _failed.Task;

    /// <summary>Checks the bounds and queues the request, as one act; otherwise says why not.</summary>
    public RequestRejected? TryEnter(RequestState request)
    {
        lock (_lock)
        {
            if (_fault is not null) return Unavailable("engine_unhealthy", $"The engine is not healthy: {_fault} Retry later, or against another replica.");
            if (_draining) return Unavailable("draining", "The server is shutting down and takes no new requests; retry against another replica.");
            if (_requestsWaiting >= options.MaxWaitingRequests)
                return Unavailable("overloaded", $"{_requestsWaiting} requests are waiting already, which is the limit; retry later.");
            if (_tokensWaiting + request.PromptTokens > options.MaxWaitingTokens)
                return Unavailable("overloaded", $"{_tokensWaiting} prompt tokens are waiting already; {request.PromptTokens} more would pass the limit of {options.MaxWaitingTokens}; retry later.");
            _requestsWaiting++;
            _tokensWaiting += request.PromptTokens;
            _requestsLive++;
            request.ArrivalOrder = _accepted++;
            request.SequencesWaiting = 1;
            commands.Send(new EngineCommand(EngineCommandKind.Submit, request)); // inside the lock: nothing is queued after the gate closed
            return null;
        }
    }

    /// <summary>A sequence was preempted. Engine thread.</summary>
    public void StartWaiting(Sequence sequence)
    {
        lock (_lock)
        {
            if (sequence.Request.SequencesWaiting++ == 0) _requestsWaiting++;
            _tokensWaiting += sequence.KnownTokens;
        }
    }

    /// <summary>A sequence was admitted, or ended while it waited. Engine thread.</summary>
    public void StopWaiting(Sequence sequence)
    {
        lock (_lock)
        {
            if (--sequence.Request.SequencesWaiting == 0) _requestsWaiting--;
            _tokensWaiting -= sequence.KnownTokens;
        }
    }

    /// <summary>A request ended. Engine thread.</summary>
    public void Leave()
    {
        lock (_lock)
        {
            _requestsLive--;
            if (_draining && _requestsLive == 0) _drained.TrySetResult();
        }
    }

    public void StartDraining()
    {
        lock (_lock)
        {
            _draining = true;
            if (_requestsLive == 0) _drained.TrySetResult();
        }
    }

    public void Fail(string fault)
    {
        lock (_lock) _fault ??= fault;
        _failed.TrySetResult();
    }

    public void ReportSpeed(double tokensPerSecond) => Volatile.Write(ref _tokensPerSecond, tokensPerSecond);

    public GateSnapshot Snapshot()
    {
        lock (_lock) return new GateSnapshot(_requestsWaiting, _tokensWaiting, _requestsLive, _draining, _fault);
    }

    private RequestRejected Unavailable(string code, string message) =>
        new(RejectionKind.Unavailable, code, null, message) { RetryAfter = RetryAfter() };

    private TimeSpan RetryAfter()
    {
        double speed = Volatile.Read(ref _tokensPerSecond);
        if (speed <= 0) return ShortestRetry;
        double seconds = Math.Ceiling(_tokensWaiting / speed);
        return TimeSpan.FromSeconds(Math.Clamp(seconds, ShortestRetry.TotalSeconds, LongestRetry.TotalSeconds));
    }
}

/// <summary>The gate's counters at one moment.</summary>
internal readonly record struct GateSnapshot(int RequestsWaiting, long TokensWaiting, int RequestsLive, bool Draining, string? Fault);
