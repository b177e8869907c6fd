namespace InferenceServer.Cpu.Memory;

/// <summary>
/// Memory for weights, one behind the other in slabs. A matrix of its own buffer ends in 4 KB pages, for only whole 2 MB can be huge: a quarter of one of
/// 5 MB, and small pages read more slowly. Here the next one fills the page. What a slab has left is never touched, so it costs addresses only. Owned by
/// the backend's thread; all of it is freed at once.
/// </summary>
/// <param name="hugePages">Ask for 2 MB pages.</param>
/// <param name="isolated">Each matrix in pages of its own: where threads keep to memory nodes, the end of one thread's share would lie beside the begin of another's.</param>
internal sealed unsafe class WeightArena(bool hugePages, bool isolated = false) : IDisposable
{
    private const long SlabBytes = 64L << 20;

    private readonly List<NativeBuffer> _slabs = [];
    private byte* _next;
    private long _left;

    /// <summary>Handed out so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>Memory that begins at a cache line; contents undefined. Vectors may read up to 64 bytes past its end.</summary>
    /// <param name="bytes">Size wanted.</param>
    /// <param name="what">Names it where the machine refuses, e.g. "matrix output.weight".</param>
    public byte* Take(long bytes, string what)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        long taken = checked(bytes + NativeBuffer.Alignment - 1) / NativeBuffer.Alignment * NativeBuffer.Alignment;
        Bytes += bytes;
        if (isolated || taken >= SlabBytes) return Add(bytes, what);
        if (taken > _left)
        {
            _next = Add(SlabBytes, what);
            _left = SlabBytes;
        }

        byte* found = _next;
        _next += taken;
        _left -= taken;
        return found;
    }

    public void Dispose()
    {
        foreach (NativeBuffer slab in _slabs) slab.Dispose();
        _slabs.Clear();
        _next = null;
        _left = 0;
    }

    private byte* Add(long bytes, string what)
    {
        NativeBuffer slab = new(bytes, what, hugePages);
        _slabs.Add(slab);
        return slab.Pointer;
    }
}
