using System.Diagnostics;

namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>
/// Pairs by rank, then position. Pairs of one rank that arrive from left to right, which is nearly all of them, wait in a list of their own, so
/// that a megabyte of one letter costs a few lists instead of a heap of a million; the rest go to a heap. One owner; must be released.
/// </summary>
internal sealed class PairQueue(int capacity)
{
    private readonly Dictionary<int, int> _listOfRank = [];
    private readonly List<(int Head, int Tail)> _lists = []; // of entries; Head -1: empty
    private readonly List<(int Position, int Next)> _entries = new(capacity);
    private PairHeap _ranks = new(16);  // of lists that are not empty, with the list's number as position
    private PairHeap _strays = new(16); // pairs that arrived left of one of their rank

    private int _lastRank = -1;
    private int _lastList;

    /// <summary>Adds a pair; one that does not merge is left out.</summary>
    public void Add(long merge, int position)
    {
        if (merge == MergeTable.None)
            return;

        int list = ListOf((int)(merge >> 32));
        (int head, int tail) = _lists[list];
        if (head >= 0 && _entries[tail].Position >= position)
        {
            _strays.Add(merge, position);
            return;
        }

        int entry = _entries.Count;
        _entries.Add((position, -1));
        if (head >= 0)
            _entries[tail] = _entries[tail] with { Next = entry };
        else
            _ranks.Add(merge, list);
        _lists[list] = (head >= 0 ? head : entry, entry);
    }

    /// <summary>Takes the pair of least rank, the leftmost of these.</summary>
    public bool TryTake(out int rank, out int position)
    {
        if (!_ranks.TryPeek(out int listRank, out int list))
            return _strays.TryTake(out rank, out position);

        (int head, int tail) = _lists[list];
        (int first, int next) = _entries[head];
        if (_strays.TryPeek(out int strayRank, out int strayPosition) && (strayRank < listRank || (strayRank == listRank && strayPosition < first)))
            return _strays.TryTake(out rank, out position);

        _lists[list] = (next, tail);
        if (next < 0)
            _ranks.TryTake(out _, out _);
        (rank, position) = (listRank, first);
        Debug.Assert(rank >= 0);
        return true;
    }

    public void Release()
    {
        _ranks.Release();
        _strays.Release();
    }

    private int ListOf(int rank)
    {
        if (rank == _lastRank)
            return _lastList;
        if (!_listOfRank.TryGetValue(rank, out int list))
        {
            _listOfRank[rank] = list = _lists.Count;
            _lists.Add((-1, -1));
        }

        (_lastRank, _lastList) = (rank, list);
        return list;
    }
}
