using System.Diagnostics;

namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>
/// Byte-pair merging: the pair of least rank merges first, the leftmost among equals, until no pair merges.
/// Sennrich et al. 2016, <see href="https://arxiv.org/abs/1508.07909"/>.
/// </summary>
internal static class MergeLoop
{
    // Below this a scan of all ranks beats a queue: both were timed on the words of English prose.
    private const int ScanMost = 40;

    private const long RankBits = ~0xFFFFFFFFL;

    /// <summary>Merges <paramref name="ids"/> in place; returns how many remain. O(n log n).</summary>
    public static int Run(MergeTable merges, Span<int> ids) =>
        ids.Length <= ScanMost ? Scan(merges, ids) : Queue(merges, ids);

    /// <summary>The plain twin: looks at every pair for every merge. O(n²).</summary>
    internal static int Scan(MergeTable merges, Span<int> ids)
    {
        int count = ids.Length;
        if (count < 2)
            return count;

        Span<long> ranks = count <= ScanMost ? stackalloc long[ScanMost] : new long[count]; // of the pair that begins here
        for (int i = 0; i + 1 < count; i++)
            ranks[i] = merges.Find(ids[i], ids[i + 1]);

        while (count > 1)
        {
            int best = 0;
            long leastRank = ranks[0] & RankBits; // without the merged id, so that the leftmost of equal ranks stays the best
            for (int i = 1; i + 1 < count; i++)
                if (ranks[i] < leastRank)
                    (best, leastRank) = (i, ranks[i] & RankBits);
            if (ranks[best] == MergeTable.None)
                break;

            ids[best] = (int)ranks[best];
            ids[(best + 2)..count].CopyTo(ids[(best + 1)..]);
            ranks[(best + 1)..(count - 1)].CopyTo(ranks[best..]);
            count--;
            if (best > 0)
                ranks[best - 1] = merges.Find(ids[best - 1], ids[best]);
            if (best + 1 < count)
                ranks[best] = merges.Find(ids[best], ids[best + 1]);
        }

        return count;
    }

    /// <summary>A linked list of the symbols and a queue of the pairs; an entry whose pair has changed since is dropped when it surfaces.</summary>
    internal static int Queue(MergeTable merges, Span<int> ids)
    {
        int count = ids.Length;
        long[] ranks = ScratchPool.Rent<long>(count);
        int[] next = ScratchPool.Rent<int>(count);
        int[] previous = ScratchPool.Rent<int>(count);
        PairQueue pairs = new(count);
        for (int i = 0; i < count; i++)
        {
            (previous[i], next[i]) = (i - 1, i + 1);
            ranks[i] = i + 1 < count ? merges.Find(ids[i], ids[i + 1]) : MergeTable.None;
            pairs.Add(ranks[i], i);
        }

        while (pairs.TryTake(out int rank, out int at))
        {
            if (ranks[at] >> 32 != rank)
                continue;

            int gone = next[at];
            int after = next[gone];
            ids[at] = (int)ranks[at];
            next[at] = after;
            ranks[gone] = MergeTable.None;
            ranks[at] = MergeTable.None;
            if (after < count)
            {
                previous[after] = at;
                ranks[at] = merges.Find(ids[at], ids[after]);
                pairs.Add(ranks[at], at);
            }

            if (previous[at] is >= 0 and int before)
            {
                ranks[before] = merges.Find(ids[before], ids[at]);
                pairs.Add(ranks[before], before);
            }
        }

        int kept = 0;
        for (int i = 0; i < count; i = next[i])
            ids[kept++] = ids[i];
        pairs.Release();
        ScratchPool.Return(previous);
        ScratchPool.Return(next);
        ScratchPool.Return(ranks);
        Debug.Assert(kept <= count);
        return kept;
    }
}
