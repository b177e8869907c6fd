using System.Runtime.CompilerServices;

namespace InferenceServer.Cpu.Kernels;

/// <summary>Products with f32 weights for many tokens: 16 rows x 6 tokens fill the sixteen registers of AVX2 (12 sums, 2 weights, 1 input).</summary>
internal static unsafe class MatMulWide<TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    private const int Tokens = 6;

    public static void Multiply(Tile* tile)
    {
        int row = 0;
        for (; row + Tokens <= tile->Rows; row += Tokens)
        {
            for (int group = 0; group < tile->Groups; group++)
                SixTokens(
                    tile,
                    tile->Weights + group * tile->GroupStride,
                    tile->Input + row * tile->InputStride,
                    tile->Output + row * tile->OutputStride + group * Tile.GroupRows);
        }

        if (row == tile->Rows) return;
        Tile rest = *tile;
        rest.Rows -= row;
        rest.Input += row * tile->InputStride;
        rest.Output += row * tile->OutputStride;
        MatMul<TLanes, F32Format<TLanes>>.Multiply(&rest);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void SixTokens(Tile* tile, byte* weights, float* x, float* y)
    {
        nint step = tile->WordStride, next = tile->OutputStride, stride = tile->InputStride, columns = tile->Columns;
        float* x1 = x + stride, x2 = x1 + stride, x3 = x2 + stride, x4 = x3 + stride, x5 = x4 + stride;
        TLanes a = TLanes.Zero, b = a, c = a, d = a, e = a, f = a;
        if (tile->Accumulate)
        {
            (a, b, c) = (TLanes.Load(y), TLanes.Load(y + next), TLanes.Load(y + 2 * next));
            (d, e, f) = (TLanes.Load(y + 3 * next), TLanes.Load(y + 4 * next), TLanes.Load(y + 5 * next));
        }

        for (nint k = 0; k < columns; k++, weights += step)
        {
            TLanes w = TLanes.Load((float*)weights);
            a = TLanes.MultiplyAdd(w, x[k], a);
            b = TLanes.MultiplyAdd(w, x1[k], b);
            c = TLanes.MultiplyAdd(w, x2[k], c);
            d = TLanes.MultiplyAdd(w, x3[k], d);
            e = TLanes.MultiplyAdd(w, x4[k], e);
            f = TLanes.MultiplyAdd(w, x5[k], f);
        }

        TLanes.Store(a, y);
        TLanes.Store(b, y + next);
        TLanes.Store(c, y + 2 * next);
        TLanes.Store(d, y + 3 * next);
        TLanes.Store(e, y + 4 * next);
        TLanes.Store(f, y + 5 * next);
    }
}
