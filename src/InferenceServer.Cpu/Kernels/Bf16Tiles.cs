using System.Runtime.CompilerServices;
using InferenceServer.Cpu.Ops;

namespace InferenceServer.Cpu.Kernels;

/// <summary>Activations rounded to bf16 as matrix tiles want them: sixteen tokens together, a cache line of 32 columns each.</summary>
internal static unsafe class Bf16Tiles
{
    public const int Tokens = 16;
    public const int UnitColumns = 32;
    public const int UnitBytes = Tokens * UnitColumns * sizeof(ushort);

    public static int Units(int columns) => (columns + UnitColumns - 1) / UnitColumns;

    /// <summary>Bytes of sixteen tokens; not a multiple of 4096, which would put all tiles in one cache set.</summary>
    public static long TileBytes(int columns) => (long)Units(columns) * UnitBytes + 64;

    /// <summary>Rounds rows into their places, some columns of all of them at a time. Columns after the last become zeros.</summary>
    /// <param name="input">(rows, columns)</param>
    /// <param name="stride">Floats from one row to the next.</param>
    /// <param name="rows">At most what is left of sixteen.</param>
    /// <param name="columns">Any number.</param>
    /// <param name="firstRow">The first one's place among sixteen.</param>
    /// <param name="tile"><see cref="TileBytes"/> bytes, of which this writes the rows' own.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Round(float* input, nint stride, int rows, int columns, int firstRow, byte* tile)
    {
        for (int unit = 0; unit < Units(columns); unit++, tile += UnitBytes)
        {
            int count = Math.Min(UnitColumns, columns - unit * UnitColumns);
            for (int i = 0; i < rows; i++)
            {
                ushort* target = (ushort*)tile + (firstRow + i) * UnitColumns;
                Conversion.ToBf16(input + i * stride + unit * UnitColumns, count, target);
                if (count < UnitColumns) new Span<ushort>(target + count, UnitColumns - count).Clear();
            }
        }
    }
}
