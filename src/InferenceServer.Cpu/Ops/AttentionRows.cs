using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;

namespace InferenceServer.Cpu.Ops;

/// <summary>What attention knows of some rows, (tokens, query heads of one KV head), after some tiles: maxima, sums and totals not yet divided by them.</summary>
internal readonly unsafe struct AttentionRows
{
    public readonly float* Maxima, Sums, Totals;
    private readonly int _rows, _stride;

    /// <param name="memory"><see cref="Floats"/> of them.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="headDim">Columns of a total; stored padded to whole chunks.</param>
    public AttentionRows(float* memory, int rows, int headDim)
    {
        _rows = rows;
        _stride = Stride(headDim);
        Maxima = memory;
        Sums = memory + rows;
        Totals = memory + Padded(2 * rows);
    }

    public static int Stride(int headDim) => (headDim + KvStore.ChunkColumns - 1) / KvStore.ChunkColumns * KvStore.ChunkColumns;

    public static long Floats(int rows, int headDim) => Padded(2 * rows) + (long)rows * Stride(headDim);

    public void Clear()
    {
        new Span<float>(Maxima, _rows).Fill(float.NegativeInfinity);
        new Span<float>(Sums, _rows).Clear();
        new Span<float>(Totals, _rows * _stride).Clear();
    }

    /// <summary>Takes the next tile in.</summary>
    public void Merge(AttentionRows tile)
    {
        for (int row = 0; row < _rows; row++)
            Softmax.Merge(Totals + row * _stride, ref Maxima[row], ref Sums[row], tile.Totals + row * _stride, tile.Maxima[row], tile.Sums[row], _stride);
    }

    /// <summary>totals / sums, in the order of columns, to the rows' places in the output.</summary>
    public void Write(CpuActivation output, int firstToken, int kvHead, AttentionShape shape, KvType type)
    {
        int queries = shape.Heads / shape.KvHeads;
        for (int row = 0; row < _rows; row++)
        {
            float* to = output.Row(firstToken + row / queries) + (kvHead * queries + row % queries) * shape.HeadDim;
            Divide(Totals + row * _stride, 1f / Sums[row], shape.HeadDim, type == KvType.BF16, to);
        }
    }

    /// <summary>BF16 values lie in halves of a chunk: each half came to stand in a vector of its own.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Divide(float* totals, float factor, int headDim, bool inHalves, float* to)
    {
        for (int done = 0; done < headDim; done += KvStore.ChunkColumns, totals += KvStore.ChunkColumns, to += KvStore.ChunkColumns)
        {
            int columns = Math.Min(KvStore.ChunkColumns, headDim - done), half = inHalves ? columns / 2 : Math.Min(Tile.GroupRows, columns);
            Multiply(totals, factor, half, to);
            Multiply(totals + Tile.GroupRows, factor, columns - half, to + half);
        }
    }

    private static void Multiply(float* from, float factor, int columns, float* to)
    {
        int i = 0;
        for (; i + 8 <= columns; i += 8) (Vector256.Load(from + i) * Vector256.Create(factor)).Store(to + i);
        for (; i < columns; i++) to[i] = from[i] * factor;
    }

    private static int Padded(int floats) => (floats + Tile.GroupRows - 1) / Tile.GroupRows * Tile.GroupRows;
}
