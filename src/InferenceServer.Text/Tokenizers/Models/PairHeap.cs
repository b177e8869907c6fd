namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>A binary heap of (rank, position): least rank first, then leftmost. One owner; rents its array and must be released.</summary>
internal struct PairHeap(int capacity)
{
    private ulong[] _items = ScratchPool.Rent<ulong>(Math.Max(16, capacity)); // rank << 32 | position
    private int _count;

    public void Add(long merge, int position)
    {
        if (_count == _items.Length)
            Grow();
        ulong item = Item(merge, position);
        int at = _count++;
        for (int parent = (at - 1) / 2; at > 0 && item < _items[parent]; at = parent, parent = (at - 1) / 2)
            _items[at] = _items[parent];
        _items[at] = item;
    }

    public readonly bool TryPeek(out int rank, out int position)
    {
        ulong top = _count > 0 ? _items[0] : 0;
        (rank, position) = ((int)(top >> 32), (int)(uint)top);
        return _count > 0;
    }

    public bool TryTake(out int rank, out int position)
    {
        if (!TryPeek(out rank, out position))
            return false;

        ulong last = _items[--_count];
        if (_count > 0)
            Sink(0, last);
        return true;
    }

    public readonly void Release() => ScratchPool.Return(_items);

    private static ulong Item(long merge, int position) => (ulong)merge & 0xFFFFFFFF00000000 | (uint)position;

    private readonly void Sink(int at, ulong item)
    {
        ulong[] items = _items;
        for (int child = 2 * at + 1; child < _count; child = 2 * at + 1)
        {
            if (child + 1 < _count && items[child + 1] < items[child])
                child++;
            if (items[child] >= item)
                break;
            items[at] = items[child];
            at = child;
        }

        items[at] = item;
    }

    private void Grow()
    {
        ulong[] larger = ScratchPool.Rent<ulong>(_items.Length * 2);
        _items.CopyTo(larger, 0);
        ScratchPool.Return(_items);
        _items = larger;
    }
}
