using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// Query rows against keys, straight from their stored format. Blocks in registers: 8 rows x 2 groups or 4 rows x 4 groups where sixteen floats are one
/// register (16 sums in flight, keys widened once for all rows), 4 rows x 1 group elsewhere.
/// While it multiplies, it asks for the next groups' keys and for these groups' values.
/// </summary>
internal static unsafe class AttentionScore<TLanes, TFormat>
    where TLanes : struct, ILanes<TLanes>
    where TFormat : struct, IKvFormat<TLanes>
{
    private const int Slots = AttentionKernels.ScoreStride;

    public static void Score(ScoreTile* tile)
    {
        Debug.Assert(tile->HeadDim % 2 == 0 && tile->RowBlock is 4 or 8 && tile->EndGroup <= AttentionKernels.TileGroups);
        int together = !TLanes.IsWide ? 1 : tile->RowBlock == 8 ? 2 : 4;
        for (int group = tile->FirstGroup & -together; group < tile->EndGroup; group += together)
        {
            for (int block = 0; block < tile->RowBlocks; block++)
            {
                float* queries = tile->Queries + block * tile->RowBlock * tile->HeadDim;
                float* scores = tile->Scores + block * tile->RowBlock * Slots + group * Tile.GroupRows;
                if (together == 2) EightRowsTwoGroups(tile->Keys + group, tile->Values + group, queries, tile->HeadDim, scores);
                else if (together == 4) FourRowsFourGroups(tile->Keys + group, tile->Values + group, queries, tile->HeadDim, scores);
                else FourRowsOneGroup(tile->Keys[group], tile->Keys[group + 1], tile->Values[group], queries, tile->HeadDim, scores);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void EightRowsTwoGroups(byte** groups, byte** later, float* q, nint dims, float* scores)
    {
        byte* keys0 = groups[0], keys1 = groups[1];
        byte* next0 = groups[2], next1 = groups[3];
        byte* later0 = later[0], later1 = later[1];
        TLanes a0 = TLanes.Zero, a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0, b4 = a0, b5 = a0, b6 = a0, b7 = a0;
        for (; dims > 0; dims -= 2, q += 16)
        {
            Prefetch(next0);
            Prefetch(later0);
            Prefetch(next1);
            Prefetch(later1);
            TFormat.LoadPair(keys0, out TLanes even0, out TLanes odd0);
            TFormat.LoadPair(keys1, out TLanes even1, out TLanes odd1);
            a0 = TLanes.MultiplyAdd(even0, q[0], a0);
            b0 = TLanes.MultiplyAdd(even1, q[0], b0);
            a1 = TLanes.MultiplyAdd(even0, q[1], a1);
            b1 = TLanes.MultiplyAdd(even1, q[1], b1);
            a2 = TLanes.MultiplyAdd(even0, q[2], a2);
            b2 = TLanes.MultiplyAdd(even1, q[2], b2);
            a3 = TLanes.MultiplyAdd(even0, q[3], a3);
            b3 = TLanes.MultiplyAdd(even1, q[3], b3);
            a4 = TLanes.MultiplyAdd(even0, q[4], a4);
            b4 = TLanes.MultiplyAdd(even1, q[4], b4);
            a5 = TLanes.MultiplyAdd(even0, q[5], a5);
            b5 = TLanes.MultiplyAdd(even1, q[5], b5);
            a6 = TLanes.MultiplyAdd(even0, q[6], a6);
            b6 = TLanes.MultiplyAdd(even1, q[6], b6);
            a7 = TLanes.MultiplyAdd(even0, q[7], a7);
            b7 = TLanes.MultiplyAdd(even1, q[7], b7);
            a0 = TLanes.MultiplyAdd(odd0, q[8], a0);
            b0 = TLanes.MultiplyAdd(odd1, q[8], b0);
            a1 = TLanes.MultiplyAdd(odd0, q[9], a1);
            b1 = TLanes.MultiplyAdd(odd1, q[9], b1);
            a2 = TLanes.MultiplyAdd(odd0, q[10], a2);
            b2 = TLanes.MultiplyAdd(odd1, q[10], b2);
            a3 = TLanes.MultiplyAdd(odd0, q[11], a3);
            b3 = TLanes.MultiplyAdd(odd1, q[11], b3);
            a4 = TLanes.MultiplyAdd(odd0, q[12], a4);
            b4 = TLanes.MultiplyAdd(odd1, q[12], b4);
            a5 = TLanes.MultiplyAdd(odd0, q[13], a5);
            b5 = TLanes.MultiplyAdd(odd1, q[13], b5);
            a6 = TLanes.MultiplyAdd(odd0, q[14], a6);
            b6 = TLanes.MultiplyAdd(odd1, q[14], b6);
            a7 = TLanes.MultiplyAdd(odd0, q[15], a7);
            b7 = TLanes.MultiplyAdd(odd1, q[15], b7);
            keys0 += TFormat.PairBytes;
            next0 += TFormat.PairBytes;
            later0 += TFormat.PairBytes;
            keys1 += TFormat.PairBytes;
            next1 += TFormat.PairBytes;
            later1 += TFormat.PairBytes;
        }

        TLanes.Store(a0, scores);
        TLanes.Store(a1, scores + 1 * Slots);
        TLanes.Store(a2, scores + 2 * Slots);
        TLanes.Store(a3, scores + 3 * Slots);
        TLanes.Store(a4, scores + 4 * Slots);
        TLanes.Store(a5, scores + 5 * Slots);
        TLanes.Store(a6, scores + 6 * Slots);
        TLanes.Store(a7, scores + 7 * Slots);
        TLanes.Store(b0, scores + 16);
        TLanes.Store(b1, scores + 1 * Slots + 16);
        TLanes.Store(b2, scores + 2 * Slots + 16);
        TLanes.Store(b3, scores + 3 * Slots + 16);
        TLanes.Store(b4, scores + 4 * Slots + 16);
        TLanes.Store(b5, scores + 5 * Slots + 16);
        TLanes.Store(b6, scores + 6 * Slots + 16);
        TLanes.Store(b7, scores + 7 * Slots + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void FourRowsFourGroups(byte** groups, byte** later, float* q, nint dims, float* scores)
    {
        byte* keys0 = groups[0], keys1 = groups[1], keys2 = groups[2], keys3 = groups[3];
        byte* next0 = groups[4], next1 = groups[5], next2 = groups[6], next3 = groups[7];
        byte* later0 = later[0], later1 = later[1], later2 = later[2], later3 = later[3];
        TLanes a0 = TLanes.Zero, a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0, c0 = a0, c1 = a0, c2 = a0, c3 = a0, d0 = a0, d1 = a0, d2 = a0, d3 = a0;
        for (; dims > 0; dims -= 2, q += 8)
        {
            Prefetch(next0);
            Prefetch(later0);
            Prefetch(next1);
            Prefetch(later1);
            Prefetch(next2);
            Prefetch(later2);
            Prefetch(next3);
            Prefetch(later3);
            TFormat.LoadPair(keys0, out TLanes even0, out TLanes odd0);
            TFormat.LoadPair(keys1, out TLanes even1, out TLanes odd1);
            TFormat.LoadPair(keys2, out TLanes even2, out TLanes odd2);
            TFormat.LoadPair(keys3, out TLanes even3, out TLanes odd3);
            a0 = TLanes.MultiplyAdd(even0, q[0], a0);
            b0 = TLanes.MultiplyAdd(even1, q[0], b0);
            c0 = TLanes.MultiplyAdd(even2, q[0], c0);
            d0 = TLanes.MultiplyAdd(even3, q[0], d0);
            a1 = TLanes.MultiplyAdd(even0, q[1], a1);
            b1 = TLanes.MultiplyAdd(even1, q[1], b1);
            c1 = TLanes.MultiplyAdd(even2, q[1], c1);
            d1 = TLanes.MultiplyAdd(even3, q[1], d1);
            a2 = TLanes.MultiplyAdd(even0, q[2], a2);
            b2 = TLanes.MultiplyAdd(even1, q[2], b2);
            c2 = TLanes.MultiplyAdd(even2, q[2], c2);
            d2 = TLanes.MultiplyAdd(even3, q[2], d2);
            a3 = TLanes.MultiplyAdd(even0, q[3], a3);
            b3 = TLanes.MultiplyAdd(even1, q[3], b3);
            c3 = TLanes.MultiplyAdd(even2, q[3], c3);
            d3 = TLanes.MultiplyAdd(even3, q[3], d3);
            a0 = TLanes.MultiplyAdd(odd0, q[4], a0);
            b0 = TLanes.MultiplyAdd(odd1, q[4], b0);
            c0 = TLanes.MultiplyAdd(odd2, q[4], c0);
            d0 = TLanes.MultiplyAdd(odd3, q[4], d0);
            a1 = TLanes.MultiplyAdd(odd0, q[5], a1);
            b1 = TLanes.MultiplyAdd(odd1, q[5], b1);
            c1 = TLanes.MultiplyAdd(odd2, q[5], c1);
            d1 = TLanes.MultiplyAdd(odd3, q[5], d1);
            a2 = TLanes.MultiplyAdd(odd0, q[6], a2);
            b2 = TLanes.MultiplyAdd(odd1, q[6], b2);
            c2 = TLanes.MultiplyAdd(odd2, q[6], c2);
            d2 = TLanes.MultiplyAdd(odd3, q[6], d2);
            a3 = TLanes.MultiplyAdd(odd0, q[7], a3);
            b3 = TLanes.MultiplyAdd(odd1, q[7], b3);
            c3 = TLanes.MultiplyAdd(odd2, q[7], c3);
            d3 = TLanes.MultiplyAdd(odd3, q[7], d3);
            keys0 += TFormat.PairBytes;
            next0 += TFormat.PairBytes;
            later0 += TFormat.PairBytes;
            keys1 += TFormat.PairBytes;
            next1 += TFormat.PairBytes;
            later1 += TFormat.PairBytes;
            keys2 += TFormat.PairBytes;
            next2 += TFormat.PairBytes;
            later2 += TFormat.PairBytes;
            keys3 += TFormat.PairBytes;
            next3 += TFormat.PairBytes;
            later3 += TFormat.PairBytes;
        }

        TLanes.Store(a0, scores);
        TLanes.Store(a1, scores + 1 * Slots);
        TLanes.Store(a2, scores + 2 * Slots);
        TLanes.Store(a3, scores + 3 * Slots);
        TLanes.Store(b0, scores + 16);
        TLanes.Store(b1, scores + 1 * Slots + 16);
        TLanes.Store(b2, scores + 2 * Slots + 16);
        TLanes.Store(b3, scores + 3 * Slots + 16);
        TLanes.Store(c0, scores + 32);
        TLanes.Store(c1, scores + 1 * Slots + 32);
        TLanes.Store(c2, scores + 2 * Slots + 32);
        TLanes.Store(c3, scores + 3 * Slots + 32);
        TLanes.Store(d0, scores + 48);
        TLanes.Store(d1, scores + 1 * Slots + 48);
        TLanes.Store(d2, scores + 2 * Slots + 48);
        TLanes.Store(d3, scores + 3 * Slots + 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void FourRowsOneGroup(byte* keys0, byte* next0, byte* later0, float* q, nint dims, float* scores)
    {
        TLanes a0 = TLanes.Zero, a1 = a0, a2 = a0, a3 = a0;
        for (; dims > 0; dims -= 2, q += 8)
        {
            Prefetch(next0);
            Prefetch(later0);
            TFormat.LoadPair(keys0, out TLanes even0, out TLanes odd0);
            a0 = TLanes.MultiplyAdd(even0, q[0], a0);
            a1 = TLanes.MultiplyAdd(even0, q[1], a1);
            a2 = TLanes.MultiplyAdd(even0, q[2], a2);
            a3 = TLanes.MultiplyAdd(even0, q[3], a3);
            a0 = TLanes.MultiplyAdd(odd0, q[4], a0);
            a1 = TLanes.MultiplyAdd(odd0, q[5], a1);
            a2 = TLanes.MultiplyAdd(odd0, q[6], a2);
            a3 = TLanes.MultiplyAdd(odd0, q[7], a3);
            keys0 += TFormat.PairBytes;
            next0 += TFormat.PairBytes;
            later0 += TFormat.PairBytes;
        }

        TLanes.Store(a0, scores);
        TLanes.Store(a1, scores + 1 * Slots);
        TLanes.Store(a2, scores + 2 * Slots);
        TLanes.Store(a3, scores + 3 * Slots);
    }

    /// <summary>A hint: what lies there is needed soon. Blocks are scattered, so the hardware cannot guess them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* address)
    {
        if (!Sse.IsSupported) return;
        Sse.Prefetch0(address);
        if (TFormat.PairBytes > 64) Sse.Prefetch0(address + 64);
    }
}
