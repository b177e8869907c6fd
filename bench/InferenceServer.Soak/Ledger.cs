using System.Collections.Concurrent;
using System.Globalization;

namespace InferenceServer.Soak;

/// <summary>What was sent, what came back, and what should not have happened. Thread-safe.</summary>
internal sealed class Ledger
{
    private const int ViolationsKept = 40;

    private readonly ConcurrentDictionary<string, int> _sent = new();
    private readonly ConcurrentDictionary<int, int> _statuses = new();
    private readonly ConcurrentDictionary<string, int> _violationsByKind = new();
    private readonly ConcurrentQueue<string> _violations = new();
    private int _done;
    private int _violationCount;

    public int Done => Volatile.Read(ref _done);

    public int Violations => Volatile.Read(ref _violationCount);

    /// <summary>The first ones, in words.</summary>
    public IReadOnlyCollection<string> FirstViolations => _violations;

    public IReadOnlyDictionary<string, int> Sent => new SortedDictionary<string, int>(_sent);

    public IReadOnlyDictionary<string, int> ViolationsByKind => new SortedDictionary<string, int>(_violationsByKind);

    public IReadOnlyDictionary<string, int> Statuses => _statuses.OrderBy(s => s.Key).ToDictionary(s => s.Key.ToString(CultureInfo.InvariantCulture), s => s.Value);

    /// <summary>One answer's status. The storm never asks for more than the server can hold, so that a 5xx is always wrong.</summary>
    public void Count(int status)
    {
        _statuses.AddOrUpdate(status, 1, static (_, n) => n + 1);
        if (status >= 500) Violation("status", $"the server answered {status}");
    }

    public void Finished(string kind)
    {
        _sent.AddOrUpdate(kind, 1, static (_, n) => n + 1);
        Interlocked.Increment(ref _done);
    }

    public void Violation(string kind, string what)
    {
        _violationsByKind.AddOrUpdate(kind, 1, static (_, n) => n + 1);
        if (Interlocked.Increment(ref _violationCount) <= ViolationsKept) _violations.Enqueue($"{kind}: {(what.Length > 600 ? what[..600] + "…" : what)}");
    }
}
