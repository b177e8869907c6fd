using System.Diagnostics;

namespace InferenceServer.Engine.Blocks;

/// <summary>
/// Blocks without an owner, least recently used first: an intrusive doubly linked list over two arrays, so that a block
/// in the middle is taken out in constant time when the prefix cache revives it. Owned by the engine thread.
/// </summary>
internal sealed class FreeBlockList
{
    private readonly int[] _next; // (blocks + 1) the last entry is the sentinel; -1 outside the list
    private readonly int[] _previous;
    private readonly int _sentinel;

    public FreeBlockList(int blockCount)
    {
        _sentinel = blockCount;
        _next = new int[blockCount + 1];
        _previous = new int[blockCount + 1];
        Array.Fill(_next, -1);
        Array.Fill(_previous, -1);
        _next[_sentinel] = _previous[_sentinel] = _sentinel;
    }

    public int Count { get; private set; }

    public bool Contains(int block) => _next[block] >= 0;

    /// <summary>The block to be reused first, or -1.</summary>
    public int First => _next[_sentinel] == _sentinel ? -1 : _next[_sentinel];

    /// <summary>To be reused first: its content is worth nothing.</summary>
    public void PushFirst(int block) => InsertAfter(_sentinel, block);

    /// <summary>To be reused last: its content may be wanted again.</summary>
    public void PushLast(int block) => InsertAfter(_previous[_sentinel], block);

    public void Remove(int block)
    {
        Debug.Assert(Contains(block), "A block leaves the free list once.");
        _next[_previous[block]] = _next[block];
        _previous[_next[block]] = _previous[block];
        _next[block] = _previous[block] = -1;
        Count--;
    }

    /// <summary>Block ids in order of reuse.</summary>
    public int[] Snapshot()
    {
        int[] blocks = new int[Count];
        for (int i = 0, block = _next[_sentinel]; i < blocks.Length; i++, block = _next[block]) blocks[i] = block;
        return blocks;
    }

    private void InsertAfter(int anchor, int block)
    {
        Debug.Assert(!Contains(block), "A block is in the free list at most once.");
        int after = _next[anchor];
        _next[anchor] = _previous[after] = block;
        _previous[block] = anchor;
        _next[block] = after;
        Count++;
    }
}
