namespace InferenceServer.Hosting;

/// <summary>
/// How often a model whose engine broke is loaded again: soon at first, for most faults are of the moment, then later, and not for ever, for a
/// broken GPU should be seen. One thread.
/// </summary>
/// <param name="time">Tests bring their own.</param>
/// <param name="delays">Before the first, second, … restart within <see cref="Window"/>; null takes 1 s, 5 s, 30 s.</param>
internal sealed class RestartPolicy(TimeProvider time, params IReadOnlyList<TimeSpan>? delays)
{
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(10);

    private readonly IReadOnlyList<TimeSpan> _delays = delays is { Count: > 0 } ? delays : [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30)];
    private readonly Queue<long> _failures = new();

    /// <summary>Counts a failure, of an engine or of a load.</summary>
    /// <returns>How long to wait before loading again; null: no more.</returns>
    public TimeSpan? AfterFailure()
    {
        while (_failures.TryPeek(out long oldest) && time.GetElapsedTime(oldest) > Window) _failures.Dequeue();
        if (_failures.Count == _delays.Count) return null;
        TimeSpan delay = _delays[_failures.Count];
        _failures.Enqueue(time.GetTimestamp());
        return delay;
    }
}
