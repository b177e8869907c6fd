using System.Runtime.CompilerServices;

namespace InferenceServer.Cpu.Kernels.Quantized;

/// <summary>
/// The numbers of <see cref="ByteInput"/> as matrix tiles want them: sixteen tokens together, a cache line of 64 columns each, then for both blocks of 32
/// sixteen f32 scales, then sixteen f32 scaled sums each.
/// </summary>
internal static unsafe class ByteTiles
{
    public const int Tokens = 16;
    public const int UnitBytes = Tokens * ByteInput.UnitBytes;

    public static int ScaleOffset(int block) => Tokens * ByteInput.UnitColumns + block * Tokens * sizeof(float);

    public static int SumOffset(int block) => ScaleOffset(2 + block);

    /// <summary>Bytes of sixteen tokens; not a multiple of 4096, which would put all tiles in one cache set.</summary>
    public static long TileBytes(int columns) => (long)ByteInput.Units(columns) * UnitBytes + 64;

    /// <summary>Quantizes rows into their places, some columns of all of them at a time. Columns after the last become zeros with scale 0.</summary>
    /// <param name="input">(rows, columns)</param>
    /// <param name="stride">Floats from one row to the next.</param>
    /// <param name="rows">At most what is left of sixteen.</param>
    /// <param name="columns">Any number.</param>
    /// <param name="firstRow">The first one's place among sixteen.</param>
    /// <param name="tile"><see cref="TileBytes"/> bytes, of which this writes the rows' own.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Quantize(float* input, nint stride, int rows, int columns, int firstRow, byte* tile)
    {
        float* last = stackalloc float[ByteInput.BlockColumns];
        for (int unit = 0; unit < ByteInput.Units(columns); unit++, tile += UnitBytes)
        {
            for (int i = 0; i < rows; i++)
            {
                for (int block = 0; block < 2; block++)
                {
                    float* source = ByteInput.Block(input + i * stride, columns, unit, block, last);
                    sbyte* values = (sbyte*)tile + (firstRow + i) * ByteInput.UnitColumns + block * ByteInput.BlockColumns;
                    ByteInput.QuantizeBlock(source, values, out float scale, out int first, out int second);
                    *(float*)(tile + ScaleOffset(block) + (firstRow + i) * sizeof(float)) = scale;
                    *(float*)(tile + SumOffset(block) + (firstRow + i) * sizeof(float)) = scale * (first + second);
                }
            }
        }
    }
}
