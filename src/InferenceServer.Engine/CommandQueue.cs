using System.Collections.Concurrent;
using InferenceServer.Engine.Scheduling;

namespace InferenceServer.Engine;

internal enum EngineCommandKind
{
    /// <summary>An accepted request arrives.</summary>
    Submit,

    /// <summary>All choices of a request end.</summary>
    Cancel,

    /// <summary>One choice of a request ends.</summary>
    StopChoice,

    /// <summary>Everything accepted ends.</summary>
    CancelAll,

    /// <summary>The invariants are checked between two steps.</summary>
    Check,
}

/// <summary>What other threads ask of the engine thread.</summary>
internal readonly record struct EngineCommand(
    EngineCommandKind Kind, RequestState? Request = null, int Choice = 0, TaskCompletionSource<IReadOnlyList<string>>? Broken = null);

/// <summary>The way into the engine thread: lock-free, in order; wakes the thread when it sleeps. Thread-safe.</summary>
internal sealed class CommandQueue : IDisposable
{
    private readonly ConcurrentQueue<EngineCommand> _commands = new();
    private readonly ManualResetEventSlim _wake = new(initialState: false, spinCount: 0);

    public void Send(EngineCommand command)
    {
        _commands.Enqueue(command);
        _wake.Set();
    }

    public bool TryTake(out EngineCommand command) => _commands.TryDequeue(out command);

    /// <summary>Wakes the thread without a command.</summary>
    public void Wake() => _wake.Set();

    /// <summary>
    /// Sleeps until something was sent after the last call. Engine thread only. Reset comes before the caller drains,
    /// so that a command sent in between is found by that drain or by the next wait.
    /// </summary>
    public void Wait()
    {
        _wake.Wait();
        _wake.Reset();
    }

    public void Dispose() => _wake.Dispose();
}
