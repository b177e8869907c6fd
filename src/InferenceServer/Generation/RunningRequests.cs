namespace InferenceServer.Generation;

/// <summary>
/// What runs right now, so that it can be ended by its id. Thread-safe. Ending is rare and a scan of what runs is short,
/// so that a request costs no more than a place in a set.
/// </summary>
internal sealed class RunningRequests
{
    private readonly Lock _lock = new();
    private readonly HashSet<TextGeneration> _running = [];

    public int Count
    {
        get
        {
            lock (_lock) return _running.Count;
        }
    }

    public void Add(TextGeneration generation)
    {
        lock (_lock) _running.Add(generation);
    }

    /// <summary>Does nothing when it was removed before.</summary>
    public void Remove(TextGeneration generation)
    {
        lock (_lock) _running.Remove(generation);
    }

    /// <summary>Ends this tenant's requests of these ids; nobody else's, whatever their ids. Returns how many there were.</summary>
    public int Abort(string tenant, IReadOnlySet<string> requestIds)
    {
        List<TextGeneration> found;
        lock (_lock) found = [.. _running.Where(r => r.Request.Caller.Tenant == tenant && requestIds.Contains(r.Request.RequestId))];
        foreach (TextGeneration generation in found) generation.Abort();
        return found.Count;
    }
}
