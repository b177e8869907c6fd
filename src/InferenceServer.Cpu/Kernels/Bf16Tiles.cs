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

    /// <summary>Rounds one row into its place. Columns after the last become zeros.</summary>
    /// <param name="input">(columns)</param>
    /// <param name="columns">Any number.</param>
    /// <param name="row">The token's place among sixteen.</param>
    /// <param name="tile"><see cref="TileBytes"/> bytes, of which this writes the row's own.</param>
    public static void Round(float* input, int columns, int row, byte* tile)
    {
        for (int unit = 0; unit < Units(columns); unit++, tile += UnitBytes)
        {
            int count = Math.Min(UnitColumns, columns - unit * UnitColumns);
            ushort* target = (ushort*)tile + row * UnitColumns;
            Conversion.ToBf16(input + unit * UnitColumns, count, target);
            new Span<ushort>(target + count, UnitColumns - count).Clear();
        }
    }
}
