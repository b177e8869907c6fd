using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;

namespace InferenceServer.Cpu.Ops;

/// <summary>Groups First.. of a tile.</summary>
internal readonly record struct GroupSpan(int First, int Count);

/// <summary>
/// One tile of a sequence's positions for one KV head: where its keys and values lie and what a token sees of them. A tile is
/// <see cref="AttentionKernels.TileGroups"/> groups of 16 slots; where the block size is no multiple of 16, the last group of each block has slots
/// that no position uses.
/// </summary>
internal unsafe struct AttentionTile(CpuKvCache cache, int layer, int kvHead, int[] table, int tile, int window)
{
    private const int GroupRows = Tile.GroupRows, Groups = AttentionKernels.TileGroups;

    private readonly int _tileGroup = tile * Groups;
    private int _endOfAll; // one past the last group that any token of the piece sees, in whichever tile, counted from this tile's first

    /// <summary>First group that any token of the piece sees, counted from the tile's first.</summary>
    public int FirstGroup { get; private set; }

    public int EndGroup { get; private set; }

    /// <summary>
    /// Finds what tokens at positions first..last see, and the first groups of the next tile, to be asked for early. Groups beside them, which kernels
    /// read for company, repeat one of them.
    /// </summary>
    public void Find(int first, int last, byte** keys, byte** values)
    {
        FirstGroup = Math.Max(0, AttentionCut.GroupOf(AttentionCut.FirstSeen(first, window), cache) - _tileGroup);
        _endOfAll = AttentionCut.GroupOf(last, cache) + 1 - _tileGroup;
        EndGroup = Math.Min(Groups, _endOfAll);
        int known = Math.Min(Groups + AttentionScratch.GroupsAhead, _endOfAll);
        for (int group = FirstGroup; group < known; group++)
        {
            keys[group] = Keys(group);
            values[group] = cache.Values(layer, Block(group), kvHead) + (_tileGroup + group) % cache.GroupsPerBlock * GroupRows * cache.ValueBytes;
        }

        for (int group = FirstGroup & ~3; group < Groups + AttentionScratch.GroupsAhead; group++)
        {
            if (group >= FirstGroup && group < known) continue;
            keys[group] = keys[FirstGroup];
            values[group] = values[FirstGroup];
        }
    }

    /// <summary>Scores of slots that a token does not see become negative infinity, for its rows. Groups that it does not see at all are left out.</summary>
    public readonly GroupSpan Mask(int position, float* scores, int rows)
    {
        int first = AttentionCut.FirstSeen(position, window);
        int begin = Math.Max(FirstGroup, AttentionCut.GroupOf(first, cache) - _tileGroup);
        int end = Math.Min(EndGroup, AttentionCut.GroupOf(position, cache) + 1 - _tileGroup);
        for (int group = begin; group < end; group++)
        {
            (int low, int high) = Lanes(group, first, position);
            if (low == 0 && high == GroupRows) continue;
            for (int row = 0; row < rows; row++)
            {
                Span<float> lanes = new(scores + row * AttentionKernels.ScoreStride + group * GroupRows, GroupRows);
                lanes[..low].Fill(float.NegativeInfinity);
                lanes[high..].Fill(float.NegativeInfinity);
            }
        }

        return new GroupSpan(begin, Math.Max(0, end - begin));
    }

    /// <summary>Values of positions from..to as far as they lie in this tile; returns how many runs, with one more behind them for the prefetch, as are the next tile's keys.</summary>
    public readonly int Runs(int from, int to, ValueRun* runs)
    {
        if (from > to) return 0;
        int count = 0;
        int begin = Math.Max(FirstGroup, AttentionCut.GroupOf(from, cache) - _tileGroup);
        int end = Math.Min(EndGroup, AttentionCut.GroupOf(to, cache) + 1 - _tileGroup);
        for (int group = begin; group < end; group++)
        {
            (int low, int high) = Lanes(group, from, to);
            runs[count++] = new ValueRun
            {
                Values = cache.Values(layer, Block(group), kvHead) + (long)((_tileGroup + group) % cache.GroupsPerBlock * GroupRows + low) * cache.ValueBytes,
                Later = Keys(group + Groups < _endOfAll ? group + Groups : group),
                Slot = group * GroupRows + low,
                Count = high - low,
            };
        }

        if (count > 0) runs[count] = runs[0];
        return count;
    }

    public readonly void ScaleByKeys(float* scores, int rows)
    {
        for (int group = FirstGroup; group < EndGroup; group++)
            Softmax.ScaleGroup(scores + group * GroupRows, rows, cache.KeyScales(layer, Block(group), kvHead) + (_tileGroup + group) % cache.GroupsPerBlock * GroupRows);
    }

    public readonly void ScaleByValues(float* probabilities, int rows)
    {
        for (int group = FirstGroup; group < EndGroup; group++)
            Softmax.ScaleGroup(probabilities + group * GroupRows, rows, cache.ValueScales(layer, Block(group), kvHead) + (_tileGroup + group) % cache.GroupsPerBlock * GroupRows);
    }

    private readonly (int Low, int High) Lanes(int group, int from, int to)
    {
        int size = cache.Shape.BlockSize, absolute = _tileGroup + group, offset = absolute % cache.GroupsPerBlock * GroupRows;
        int start = absolute / cache.GroupsPerBlock * size + offset, length = Math.Min(GroupRows, size - offset);
        return (Math.Max(0, from - start), Math.Min(length, to + 1 - start));
    }

    private readonly byte* Keys(int group) =>
        cache.Keys(layer, Block(group), kvHead) + (_tileGroup + group) % cache.GroupsPerBlock * cache.KeyGroupBytes;

    private readonly int Block(int group)
    {
        int block = table[(_tileGroup + group) / cache.GroupsPerBlock];
        if ((uint)block >= (uint)cache.Shape.BlockCount)
            throw new ArgumentException($"A block table names block {block}; the cache has {cache.Shape.BlockCount}.");
        return block;
    }
}
