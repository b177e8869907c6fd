namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>
/// Vector clocks of the warps of a block: what each has seen of the others through barriers. An access is stamped with the current tick;
/// it happened before what warp w does now if w has seen the accessing warp up to a later tick.
/// </summary>
internal sealed class SharedClock
{
    private const int MaxWarps = 32;
    private readonly uint[] _seen = new uint[MaxWarps * MaxWarps];
    private readonly uint[] _arrived = new uint[MaxWarps];
    private readonly uint[] _lanesSeen = new uint[MaxWarps];
    private readonly uint[] _joined = new uint[MaxWarps];

    /// <summary>Rises with every synchronisation.</summary>
    public uint Now { get; private set; } = 1;
    /// <summary>Whatever happened before is seen by all.</summary>
    public uint Floor { get; private set; } = 1;
    /// <summary>Stamps below are of earlier blocks.</summary>
    public uint BlockStart { get; private set; } = 1;

    public void StartBlock() => BlockStart = Floor = ++Now;

    public void Arrive(int warp) => _arrived[warp] = ++Now;

    /// <summary>A barrier completed: those that waited have seen all that arrived.</summary>
    public void Synchronise(uint arrived, uint waiting, bool all)
    {
        Now++;
        if (all)
        {
            Floor = Now;
            return;
        }
        Array.Clear(_joined);
        for (int from = 0; from < MaxWarps; from++)
        {
            if ((arrived >> from & 1) == 0) continue;
            for (int warp = 0; warp < MaxWarps; warp++) _joined[warp] = Math.Max(_joined[warp], _seen[from * MaxWarps + warp]);
            _joined[from] = Math.Max(_joined[from], _arrived[from]);
        }
        for (int to = 0; to < MaxWarps; to++)
        {
            if ((waiting >> to & 1) == 0) continue;
            for (int warp = 0; warp < MaxWarps; warp++) _seen[to * MaxWarps + warp] = Math.Max(_seen[to * MaxWarps + warp], _joined[warp]);
            _lanesSeen[to] = Now;
        }
    }

    /// <summary>The lanes of a warp have seen each other.</summary>
    public void SynchroniseLanes(int warp) => _lanesSeen[warp] = ++Now;

    /// <summary>Whether what <paramref name="other"/> did at <paramref name="tick"/> comes before what <paramref name="warp"/> does now.</summary>
    public bool HasSeen(int warp, int other, uint tick) => tick < Floor || tick < _seen[warp * MaxWarps + other];

    /// <summary>The same between two lanes of a warp.</summary>
    public bool LanesHaveSeen(int warp, uint tick) => tick < Floor || tick < _lanesSeen[warp];
}
