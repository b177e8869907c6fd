using System.Runtime.InteropServices;

namespace InferenceServer.Cpu.Emitting;

/// <summary>
/// What LDTILECFG reads (Intel SDM volume 2): of each tile its rows, and the bytes of a row. Tables live as long as the process. Immutable, thread-safe.
/// </summary>
internal static unsafe class TileShapes
{
    public const int Rows = 16;
    public const int RowBytes = 64;
    public const int TileBytes = Rows * RowBytes;
    private const int ShapeBytes = 64; // of a table
    private const int RowBytesOffset = 16;
    private const int RowsOffset = 48;

    private static readonly byte* Bf16Tables = CreateBf16();

    /// <summary>Tiles 0 and 1: sums of 16 tokens. 2 and 3: their inputs, 32 signed bytes each. 4 and 5: 32 columns of 16 weight rows.</summary>
    public static byte* Bytes { get; } = CreateBytes();

    /// <summary>Tiles 0 to 3: sums, (0 and 1 of the first 16 tokens, 2 and 3 of the rest). 4 and 5: inputs of 32 columns. 6 and 7: weights.</summary>
    /// <param name="tokens">1 to 32.</param>
    public static byte* Bf16(int tokens) => Bf16Tables + tokens * ShapeBytes;

    private static byte* CreateBytes()
    {
        byte* table = Allocate(1);
        for (int tile = 0; tile < 2; tile++)
        {
            Set(table, tile, Rows, RowBytes);
            Set(table, 2 + tile, Rows, RowBytes / 2);
            Set(table, 4 + tile, Rows / 2, RowBytes);
        }

        return table;
    }

    private static byte* CreateBf16()
    {
        byte* tables = Allocate(2 * Rows + 1);
        for (int tokens = 1; tokens <= 2 * Rows; tokens++)
        {
            byte* table = tables + tokens * ShapeBytes;
            for (int tile = 0; tile < 8; tile++) Set(table, tile, Rows, RowBytes);
            int first = Math.Min(Rows, tokens), rest = Math.Max(1, tokens - Rows); // a tile of no rows may not be named at all
            foreach (int tile in (ReadOnlySpan<int>)[0, 1, 4]) Set(table, tile, first, RowBytes);
            foreach (int tile in (ReadOnlySpan<int>)[2, 3, 5]) Set(table, tile, rest, RowBytes);
        }

        return tables;
    }

    private static byte* Allocate(int tables)
    {
        byte* memory = (byte*)NativeMemory.AlignedAlloc((nuint)(tables * ShapeBytes), ShapeBytes);
        NativeMemory.Clear(memory, (nuint)(tables * ShapeBytes));
        for (int i = 0; i < tables; i++) memory[i * ShapeBytes] = 1; // the palette: eight tiles of 1 KB
        return memory;
    }

    private static void Set(byte* table, int tile, int rows, int rowBytes)
    {
        *(ushort*)(table + RowBytesOffset + 2 * tile) = (ushort)rowBytes;
        table[RowsOffset + tile] = (byte)rows;
    }
}
