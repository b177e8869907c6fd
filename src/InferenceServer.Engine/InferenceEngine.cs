using System.Security.Cryptography;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Admission;
using InferenceServer.Engine.Scheduling;

namespace InferenceServer.Engine;

/// <summary>
/// Requests in, tokens out, over any <see cref="IModelRunner"/>. All members are thread-safe; the work is done by one thread of its own.
/// The runner stays the caller's, who disposes it after the engine.
/// </summary>
public sealed class InferenceEngine : IEngine, IDisposable, IAsyncDisposable
{
    private readonly TimeProvider _time;
    private readonly CommandQueue _commands = new();
    private readonly RequestValidator _validator;
    private readonly AdmissionGate _gate;
    private readonly StepLoop _loop;
    private readonly int _blockSize;
    private readonly ulong _seed;
    private readonly Lock _startStop = new();
    private long _seedsDrawn;
    private Thread? _thread;
    private volatile bool _stopping;

    /// <exception cref="ArgumentException">The options do not suit the runner; the message lists every error.</exception>
    public InferenceEngine(IModelRunner runner, EngineOptions options, TimeProvider time, IEngineObserver? observer = null)
    {
        RunnerLimits limits = runner.Limits;
        IReadOnlyList<string> errors = options.Validate(limits);
        if (errors.Count > 0) throw new ArgumentException(string.Join(Environment.NewLine, errors), nameof(options));
        _time = time;
        _blockSize = limits.BlockSize;
        _seed = options.RandomSeed ?? BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        _validator = new RequestValidator(limits, StepLoop.SeatsFor(options, limits));
        _gate = new AdmissionGate(options, _commands);
        _loop = new StepLoop(runner, options, time, observer, _commands, _gate);
    }

    public EngineStatus Status => _loop.Status;

    /// <summary>The exception behind an unhealthy <see cref="Status"/>, for the log; null while healthy.</summary>
    public Exception? Fault => _loop.Fault;

    /// <summary>Completes when <see cref="Fault"/> is set. The engine then takes nothing more; a new one is needed.</summary>
    public Task Faulted => _gate.Failed;

    /// <summary>For tests and benchmarks, which drive it in place of the thread.</summary>
    internal StepLoop Loop => _loop;

    /// <summary>Starts the engine's thread; requests submitted before wait for it.</summary>
    public void Start()
    {
        lock (_startStop)
        {
            ObjectDisposedException.ThrowIf(_stopping, this);
            if (_thread is not null) return;
            _thread = new Thread(Run) { Name = "engine", IsBackground = true };
            _thread.Start();
        }
    }

    public Submission Submit(EngineRequest request)
    {
        if (_validator.Check(request) is { } invalid) return new Submission(null, invalid);
        long now = _time.GetTimestamp();
        if (request.DeadlineTimestamp <= now)
        {
            return new Submission(null, new RequestRejected(RejectionKind.DeadlineExceeded, "deadline_exceeded", null,
                "The request's deadline has passed before it was queued; allow it more time."));
        }

        ulong seed = request.Sampling.Seed ?? DrawSeed();
        RequestState state = new(request, _validator.MaxTokensFor(request), seed, _blockSize, _commands);
        state.Summary.ArrivedTimestamp = now;
        return _gate.TryEnter(state) is { } refused ? new Submission(null, refused) : new Submission(state, null);
    }

    public async Task DrainAsync(CancellationToken deadline)
    {
        _gate.StartDraining();
        CancellationTokenRegistration registration =
            deadline.UnsafeRegister(static commands => ((CommandQueue)commands!).Send(new EngineCommand(EngineCommandKind.CancelAll)), _commands);
        await using (registration.ConfigureAwait(false)) await _gate.Drained.ConfigureAwait(false);
    }

    /// <summary>
    /// Checks every rule of the engine's state between two steps; completes with the broken ones, a sentence each. Costs about a copy of
    /// the block table: for diagnosis and tests, not for a probe.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The engine has stopped.</exception>
    public Task<IReadOnlyList<string>> CheckInvariantsAsync()
    {
        TaskCompletionSource<IReadOnlyList<string>> broken = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_startStop)
        {
            ObjectDisposedException.ThrowIf(_stopping, this);
            _commands.Send(new EngineCommand(EngineCommandKind.Check, Broken: broken)); // before the stop, whose last act is to take commands
        }

        return broken.Task;
    }

    /// <summary>Refuses new requests, cancels what runs after the steps in flight, and stops the thread: the runner is then at rest.</summary>
    public void Dispose()
    {
        lock (_startStop)
        {
            if (_stopping) return;
            _gate.StartDraining(); // first: what gets in before is found by the thread's last look, and nothing gets in after
            _stopping = true;
            _commands.Wake();
            _thread?.Join();
            if (_thread is null) _loop.Stop();
            _commands.Dispose();
        }
    }

    public ValueTask DisposeAsync() => new(Task.Run(Dispose)); // joining waits for a step

    private ulong DrawSeed()
    {
        long draw = Interlocked.Increment(ref _seedsDrawn);
        return ((ulong)CounterRandom.Bits(_seed, draw, 0) << 32) | CounterRandom.Bits(_seed, draw, 1);
    }

    private void Run()
    {
        while (!_stopping)
        {
            if (!_loop.StepOnce()) _commands.Wait();
        }

        _loop.Stop();
    }
}
