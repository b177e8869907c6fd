using System.Buffers;

namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>A binary heap of (rank, position): least rank first, then leftmost. One owner; rents its array and must be released.</summary>
internal struct PairHeap(int capacity)
{
    private ulong[] _items = ArrayPool<ulong>.Shared.Rent(Math.Max(16, capacity)); // rank << 32 | position
    private int _count;

    /// <summary>Adds before <see cref="Order"/>; a pair that does not merge is left out.</summary>
    public void AddUnordered(long merge, int position)
    {
        if (merge != MergeTable.None)
            _items[_count++] = Item(merge, position);
    }

    public readonly void Order()
    {
        for (int i = _count / 2 - 1; i >= 0; i--)
            Sink(i, _items[i]);
    }

    public void Add(long merge, int position)
    {
        if (merge == MergeTable.None)
            return;

        if (_count == _items.Length)
            Grow();
        ulong item = Item(merge, position);
        int at = _count++;
        for (int parent = (at - 1) / 2; at > 0 && item < _items[parent]; at = parent, parent = (at - 1) / 2)
            _items[at] = _items[parent];
        _items[at] = item;
    }

    public bool TryTake(out int rank, out int position)
    {
        if (_count == 0)
        {
            (rank, position) = (0, 0);
            return false;
        }

        ulong top = _items[0];
        ulong last = _items[--_count];
        if (_count > 0)
            Sink(0, last);
        (rank, position) = ((int)(top >> 32), (int)(uint)top);
        return true;
    }

    public readonly void Release() => ArrayPool<ulong>.Shared.Return(_items);

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
        ulong[] larger = ArrayPool<ulong>.Shared.Rent(_items.Length * 2);
        _items.CopyTo(larger, 0);
        ArrayPool<ulong>.Shared.Return(_items);
        _items = larger;
    }
}
