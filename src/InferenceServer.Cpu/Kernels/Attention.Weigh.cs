using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// Probabilities times values, straight from their stored format: a chunk of 32 columns for 8, 4 or 1 rows in registers (2 or 1 where sixteen
/// floats are several registers), all positions of a tile before the sums go back.
/// </summary>
internal static unsafe class AttentionWeigh<TLanes, TFormat>
    where TLanes : struct, ILanes<TLanes>
    where TFormat : struct, IKvFormat<TLanes>
{
    private const int Slots = AttentionKernels.ScoreStride;

    public static void Weigh(WeighTile* tile)
    {
        Debug.Assert(tile->RunCount >= 0 && tile->Rows >= 0);
        nint next = tile->Chunks * KvStore.ChunkColumns;
        for (int chunk = 0; chunk < tile->Chunks; chunk++)
        {
            nint offset = chunk * TFormat.PairBytes;
            float* totals = tile->Totals + chunk * KvStore.ChunkColumns, p = tile->Probabilities;
            int row = 0;
            if (TLanes.IsWide)
            {
                for (; row + 8 <= tile->Rows; row += 8) EightRows(tile, offset, p + row * Slots, totals + row * next, next);
                for (; row + 4 <= tile->Rows; row += 4) FourRows(tile, offset, p + row * Slots, totals + row * next, next);
            }

            for (; row + 2 <= tile->Rows; row += 2) TwoRows(tile, offset, p + row * Slots, totals + row * next, next);
            if (row < tile->Rows) OneRow(tile, offset, p + row * Slots, totals + row * next);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void EightRows(WeighTile* tile, nint offset, float* probabilities, float* y, nint next)
    {
        nint step = tile->ValueBytes;
        TLanes a0 = TLanes.Load(y), b0 = TLanes.Load(y + 16);
        TLanes a1 = TLanes.Load(y + next), b1 = TLanes.Load(y + next + 16);
        TLanes a2 = TLanes.Load(y + 2 * next), b2 = TLanes.Load(y + 2 * next + 16);
        TLanes a3 = TLanes.Load(y + 3 * next), b3 = TLanes.Load(y + 3 * next + 16);
        TLanes a4 = TLanes.Load(y + 4 * next), b4 = TLanes.Load(y + 4 * next + 16);
        TLanes a5 = TLanes.Load(y + 5 * next), b5 = TLanes.Load(y + 5 * next + 16);
        TLanes a6 = TLanes.Load(y + 6 * next), b6 = TLanes.Load(y + 6 * next + 16);
        TLanes a7 = TLanes.Load(y + 7 * next), b7 = TLanes.Load(y + 7 * next + 16);
        for (ValueRun* run = tile->Runs, end = run + tile->RunCount; run < end; run++)
        {
            byte* values = run->Values + offset, ahead = run[1].Values + offset, later = run->Later + Tile.GroupRows * offset;
            float* p = probabilities + run->Slot;
            for (nint count = run->Count; count > 0; count--, p++)
            {
                Prefetch(ahead);
                PrefetchLater(later);
                TFormat.LoadPair(values, out TLanes low, out TLanes high);
                a0 = TLanes.MultiplyAdd(low, *p, a0);
                b0 = TLanes.MultiplyAdd(high, *p, b0);
                a1 = TLanes.MultiplyAdd(low, p[Slots], a1);
                b1 = TLanes.MultiplyAdd(high, p[Slots], b1);
                a2 = TLanes.MultiplyAdd(low, p[2 * Slots], a2);
                b2 = TLanes.MultiplyAdd(high, p[2 * Slots], b2);
                a3 = TLanes.MultiplyAdd(low, p[3 * Slots], a3);
                b3 = TLanes.MultiplyAdd(high, p[3 * Slots], b3);
                a4 = TLanes.MultiplyAdd(low, p[4 * Slots], a4);
                b4 = TLanes.MultiplyAdd(high, p[4 * Slots], b4);
                a5 = TLanes.MultiplyAdd(low, p[5 * Slots], a5);
                b5 = TLanes.MultiplyAdd(high, p[5 * Slots], b5);
                a6 = TLanes.MultiplyAdd(low, p[6 * Slots], a6);
                b6 = TLanes.MultiplyAdd(high, p[6 * Slots], b6);
                a7 = TLanes.MultiplyAdd(low, p[7 * Slots], a7);
                b7 = TLanes.MultiplyAdd(high, p[7 * Slots], b7);
                values += step;
                ahead += step;
                later += TFormat.PairBytes;
            }
        }

        TLanes.Store(a0, y);
        TLanes.Store(b0, y + 16);
        TLanes.Store(a1, y + next);
        TLanes.Store(b1, y + next + 16);
        TLanes.Store(a2, y + 2 * next);
        TLanes.Store(b2, y + 2 * next + 16);
        TLanes.Store(a3, y + 3 * next);
        TLanes.Store(b3, y + 3 * next + 16);
        TLanes.Store(a4, y + 4 * next);
        TLanes.Store(b4, y + 4 * next + 16);
        TLanes.Store(a5, y + 5 * next);
        TLanes.Store(b5, y + 5 * next + 16);
        TLanes.Store(a6, y + 6 * next);
        TLanes.Store(b6, y + 6 * next + 16);
        TLanes.Store(a7, y + 7 * next);
        TLanes.Store(b7, y + 7 * next + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void FourRows(WeighTile* tile, nint offset, float* probabilities, float* y, nint next)
    {
        nint step = tile->ValueBytes;
        TLanes a0 = TLanes.Load(y), b0 = TLanes.Load(y + 16);
        TLanes a1 = TLanes.Load(y + next), b1 = TLanes.Load(y + next + 16);
        TLanes a2 = TLanes.Load(y + 2 * next), b2 = TLanes.Load(y + 2 * next + 16);
        TLanes a3 = TLanes.Load(y + 3 * next), b3 = TLanes.Load(y + 3 * next + 16);
        for (ValueRun* run = tile->Runs, end = run + tile->RunCount; run < end; run++)
        {
            byte* values = run->Values + offset, ahead = run[1].Values + offset, later = run->Later + Tile.GroupRows * offset;
            float* p = probabilities + run->Slot;
            for (nint count = run->Count; count > 0; count--, p++)
            {
                Prefetch(ahead);
                PrefetchLater(later);
                TFormat.LoadPair(values, out TLanes low, out TLanes high);
                a0 = TLanes.MultiplyAdd(low, *p, a0);
                b0 = TLanes.MultiplyAdd(high, *p, b0);
                a1 = TLanes.MultiplyAdd(low, p[Slots], a1);
                b1 = TLanes.MultiplyAdd(high, p[Slots], b1);
                a2 = TLanes.MultiplyAdd(low, p[2 * Slots], a2);
                b2 = TLanes.MultiplyAdd(high, p[2 * Slots], b2);
                a3 = TLanes.MultiplyAdd(low, p[3 * Slots], a3);
                b3 = TLanes.MultiplyAdd(high, p[3 * Slots], b3);
                values += step;
                ahead += step;
                later += TFormat.PairBytes;
            }
        }

        TLanes.Store(a0, y);
        TLanes.Store(b0, y + 16);
        TLanes.Store(a1, y + next);
        TLanes.Store(b1, y + next + 16);
        TLanes.Store(a2, y + 2 * next);
        TLanes.Store(b2, y + 2 * next + 16);
        TLanes.Store(a3, y + 3 * next);
        TLanes.Store(b3, y + 3 * next + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void TwoRows(WeighTile* tile, nint offset, float* probabilities, float* y, nint next)
    {
        nint step = tile->ValueBytes;
        TLanes a0 = TLanes.Load(y), b0 = TLanes.Load(y + 16);
        TLanes a1 = TLanes.Load(y + next), b1 = TLanes.Load(y + next + 16);
        for (ValueRun* run = tile->Runs, end = run + tile->RunCount; run < end; run++)
        {
            byte* values = run->Values + offset, ahead = run[1].Values + offset;
            float* p = probabilities + run->Slot;
            for (nint count = run->Count; count > 0; count--, p++)
            {
                Prefetch(ahead);
                TFormat.LoadPair(values, out TLanes low, out TLanes high);
                a0 = TLanes.MultiplyAdd(low, *p, a0);
                b0 = TLanes.MultiplyAdd(high, *p, b0);
                a1 = TLanes.MultiplyAdd(low, p[Slots], a1);
                b1 = TLanes.MultiplyAdd(high, p[Slots], b1);
                values += step;
                ahead += step;
            }
        }

        TLanes.Store(a0, y);
        TLanes.Store(b0, y + 16);
        TLanes.Store(a1, y + next);
        TLanes.Store(b1, y + next + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void OneRow(WeighTile* tile, nint offset, float* probabilities, float* y)
    {
        nint step = tile->ValueBytes;
        TLanes a0 = TLanes.Load(y), b0 = TLanes.Load(y + 16);
        for (ValueRun* run = tile->Runs, end = run + tile->RunCount; run < end; run++)
        {
            byte* values = run->Values + offset, ahead = run[1].Values + offset;
            float* p = probabilities + run->Slot;
            for (nint count = run->Count; count > 0; count--, p++)
            {
                Prefetch(ahead);
                TFormat.LoadPair(values, out TLanes low, out TLanes high);
                a0 = TLanes.MultiplyAdd(low, *p, a0);
                b0 = TLanes.MultiplyAdd(high, *p, b0);
                values += step;
                ahead += step;
            }
        }

        TLanes.Store(a0, y);
        TLanes.Store(b0, y + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* address)
    {
        if (Sse.IsSupported) Sse.Prefetch0(address);
    }
    /// <summary>Into the second level: the first is full of values. Scores wait for memory while they ask for values; here it would be idle.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchLater(byte* address)
    {
        if (!Sse.IsSupported) return;
        Sse.Prefetch1(address);
        if (TFormat.PairBytes > 64) Sse.Prefetch1(address + 64);
    }
}
