using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// Products straight from the stored format, for few tokens. Batch invariance: in every kernel each output element is one
/// accumulator that takes one multiply-add a column, first column first. What differs between kernels is only how many
/// independent elements are in flight, so 1, 2, 4 or more tokens give the same bits.
/// </summary>
internal static unsafe class MatMul<TLanes, TFormat>
    where TLanes : struct, ILanes<TLanes>
    where TFormat : struct, IWeightFormat<TLanes>
{
    private const int GroupRows = Tile.GroupRows;

    public static void Multiply(Tile* tile)
    {
        Debug.Assert(tile->Groups >= 0 && tile->Rows >= 0 && tile->Columns >= 0);
        int row = 0;
        if (tile->Rows >= 2)
        {
            int paired = tile->Rows & ~1;
            for (int group = 0; group < tile->Groups; group++)
            {
                byte* weights = tile->Weights + group * tile->GroupStride;
                float* output = tile->Output + group * GroupRows;
                row = 0;
                for (; row + 4 <= paired; row += 4)
                    FourTokens(tile, weights, tile->Input + row * tile->InputStride, output + row * tile->OutputStride);
                if (row < paired)
                    TwoTokens(tile, weights, tile->Input + row * tile->InputStride, output + row * tile->OutputStride);
            }

            row = paired;
        }

        if (row < tile->Rows) OneToken(tile, tile->Input + row * tile->InputStride, tile->Output + row * tile->OutputStride);
    }

    /// <summary>Widens columns of one group to f32: panel (columns, 16).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Expand(byte* weights, nint wordStride, int columns, float* panel)
    {
        nint pair = TFormat.PairStride(wordStride);
        for (; columns >= 2; columns -= 2, weights += pair, panel += 2 * GroupRows)
        {
            TFormat.LoadPair(weights, wordStride, out TLanes even, out TLanes odd);
            TLanes.Store(even, panel);
            TLanes.Store(odd, panel + GroupRows);
        }

        if (columns > 0) TLanes.Store(TFormat.LoadLast(weights), panel);
    }

    /// <summary>Four groups at a time: four streams from memory, and enough independent sums to hide the latency of the multiply-add.</summary>
    private static void OneToken(Tile* tile, float* input, float* output)
    {
        int group = 0;
        for (; group + 4 <= tile->Groups; group += 4)
            OneTokenFourGroups(tile, tile->Weights + group * tile->GroupStride, input, output + group * GroupRows);
        for (; group < tile->Groups; group++)
            OneTokenOneGroup(tile, tile->Weights + group * tile->GroupStride, input, output + group * GroupRows);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void OneTokenFourGroups(Tile* tile, byte* weights, float* x, float* y)
    {
        nint step = tile->WordStride, pair = TFormat.PairStride(step), stride = tile->GroupStride;
        int columns = tile->Columns;
        byte* w0 = weights, w1 = weights + stride, w2 = w1 + stride, w3 = w2 + stride;
        TLanes a = TLanes.Zero, b = a, c = a, d = a;
        if (tile->Accumulate) (a, b, c, d) = (TLanes.Load(y), TLanes.Load(y + 16), TLanes.Load(y + 32), TLanes.Load(y + 48));
        for (; columns >= 2; columns -= 2, x += 2)
        {
            TFormat.LoadPair(w0, step, out TLanes even, out TLanes odd);
            a = TLanes.MultiplyAdd(odd, x[1], TLanes.MultiplyAdd(even, x[0], a));
            TFormat.LoadPair(w1, step, out even, out odd);
            b = TLanes.MultiplyAdd(odd, x[1], TLanes.MultiplyAdd(even, x[0], b));
            TFormat.LoadPair(w2, step, out even, out odd);
            c = TLanes.MultiplyAdd(odd, x[1], TLanes.MultiplyAdd(even, x[0], c));
            TFormat.LoadPair(w3, step, out even, out odd);
            d = TLanes.MultiplyAdd(odd, x[1], TLanes.MultiplyAdd(even, x[0], d));
            w0 += pair;
            w1 += pair;
            w2 += pair;
            w3 += pair;
        }

        if (columns > 0)
        {
            a = TLanes.MultiplyAdd(TFormat.LoadLast(w0), x[0], a);
            b = TLanes.MultiplyAdd(TFormat.LoadLast(w1), x[0], b);
            c = TLanes.MultiplyAdd(TFormat.LoadLast(w2), x[0], c);
            d = TLanes.MultiplyAdd(TFormat.LoadLast(w3), x[0], d);
        }

        TLanes.Store(a, y);
        TLanes.Store(b, y + 16);
        TLanes.Store(c, y + 32);
        TLanes.Store(d, y + 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void OneTokenOneGroup(Tile* tile, byte* weights, float* x, float* y)
    {
        nint step = tile->WordStride, pair = TFormat.PairStride(step);
        int columns = tile->Columns;
        TLanes a = tile->Accumulate ? TLanes.Load(y) : TLanes.Zero;
        for (; columns >= 2; columns -= 2, x += 2, weights += pair)
        {
            TFormat.LoadPair(weights, step, out TLanes even, out TLanes odd);
            a = TLanes.MultiplyAdd(odd, x[1], TLanes.MultiplyAdd(even, x[0], a));
        }

        if (columns > 0) a = TLanes.MultiplyAdd(TFormat.LoadLast(weights), x[0], a);
        TLanes.Store(a, y);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void TwoTokens(Tile* tile, byte* weights, float* x, float* y)
    {
        nint step = tile->WordStride, pair = TFormat.PairStride(step), next = tile->OutputStride;
        int columns = tile->Columns;
        float* x1 = x + tile->InputStride;
        TLanes a = TLanes.Zero, b = a;
        if (tile->Accumulate) (a, b) = (TLanes.Load(y), TLanes.Load(y + next));
        for (; columns >= 2; columns -= 2, x += 2, x1 += 2, weights += pair)
        {
            TFormat.LoadPair(weights, step, out TLanes even, out TLanes odd);
            a = TLanes.MultiplyAdd(odd, x[1], TLanes.MultiplyAdd(even, x[0], a));
            b = TLanes.MultiplyAdd(odd, x1[1], TLanes.MultiplyAdd(even, x1[0], b));
        }

        if (columns > 0)
        {
            TLanes last = TFormat.LoadLast(weights);
            a = TLanes.MultiplyAdd(last, x[0], a);
            b = TLanes.MultiplyAdd(last, x1[0], b);
        }

        TLanes.Store(a, y);
        TLanes.Store(b, y + next);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void FourTokens(Tile* tile, byte* weights, float* x, float* y)
    {
        nint step = tile->WordStride, pair = TFormat.PairStride(step), next = tile->OutputStride, stride = tile->InputStride;
        nint columns = tile->Columns, k = 0;
        float* x1 = x + stride, x2 = x1 + stride, x3 = x2 + stride;
        TLanes a = TLanes.Zero, b = a, c = a, d = a;
        if (tile->Accumulate) (a, b, c, d) = (TLanes.Load(y), TLanes.Load(y + next), TLanes.Load(y + 2 * next), TLanes.Load(y + 3 * next));
        for (; k + 2 <= columns; k += 2, weights += pair)
        {
            TFormat.LoadPair(weights, step, out TLanes even, out TLanes odd);
            a = TLanes.MultiplyAdd(odd, x[k + 1], TLanes.MultiplyAdd(even, x[k], a));
            b = TLanes.MultiplyAdd(odd, x1[k + 1], TLanes.MultiplyAdd(even, x1[k], b));
            c = TLanes.MultiplyAdd(odd, x2[k + 1], TLanes.MultiplyAdd(even, x2[k], c));
            d = TLanes.MultiplyAdd(odd, x3[k + 1], TLanes.MultiplyAdd(even, x3[k], d));
        }

        if (k < columns)
        {
            TLanes last = TFormat.LoadLast(weights);
            a = TLanes.MultiplyAdd(last, x[k], a);
            b = TLanes.MultiplyAdd(last, x1[k], b);
            c = TLanes.MultiplyAdd(last, x2[k], c);
            d = TLanes.MultiplyAdd(last, x3[k], d);
        }

        TLanes.Store(a, y);
        TLanes.Store(b, y + next);
        TLanes.Store(c, y + 2 * next);
        TLanes.Store(d, y + 3 * next);
    }
}
