using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Kernels.Quantized;
using InferenceServer.Cpu.Ops;

namespace InferenceServer.Cpu.Emitting;

/// <summary>A quantized format that meets few tokens in vectors and many in tiles. Both give the same bits.</summary>
internal sealed unsafe class TiledQuantizedFormat(QuantizedLayout layout, WeightFormat vectors, ByteTileKernels tiles) : WeightFormat
{
    /// <summary>Unpacking weights for a tile pays for more tokens than one kernel of vectors takes.</summary>
    private const int MinTokens = 13;

    public override ElementType Type => layout.Type;

    public override string Layout => vectors.Layout;

    public override InputForm InputFor(int tokens) => tokens < MinTokens ? vectors.InputFor(tokens) : InputForm.ByteTiles;

    /// <summary>Whole cache lines of a gate's row are turned at once.</summary>
    public override int GroupsOfManyTokens => LinearLayer.GroupsTogether;

    public override long GroupBytes(int columns) => vectors.GroupBytes(columns);

    public override void Pack(byte** rows, int columns, byte* group) => vectors.Pack(rows, columns, group);

    public override void Unpack(byte* group, int row, int columns, float* output) => vectors.Unpack(group, row, columns, output);

    public override void Multiply(in LinearTile tile, float* scratch)
    {
        if (tile.Rows < MinTokens) vectors.Multiply(tile, scratch);
        else tiles.Multiply(tile, layout.Units(tile.Columns), (byte*)scratch);
    }
}

/// <summary>BF16 in tiles, whether tokens are few or many. Padding columns are zeros up to a multiple of 32.</summary>
internal sealed unsafe class TiledBf16Format(Bf16TileKernels kernels) : WeightFormat
{
    public override ElementType Type => ElementType.BF16;

    public override string Layout => "words in tiles";

    public override InputForm InputFor(int tokens) => InputForm.Bf16Tiles;

    /// <summary>Two groups share what is loaded of the input, and eight what the second-level cache has of it.</summary>
    public override int GroupsOfManyTokens => 8;

    public override long GroupBytes(int columns) => (long)Bf16Tiles.Units(columns) * TileShapes.TileBytes;

    public override void Pack(byte** rows, int columns, byte* group) =>
        RowPacker.Best.Words(rows, columns * sizeof(ushort), Bf16Tiles.Units(columns) * Bf16Tiles.UnitColumns / 2, group);

    public override void Unpack(byte* group, int row, int columns, float* output)
    {
        for (int k = 0; k < columns; k++) output[k] = BitConverter.UInt32BitsToSingle(WordFormat.Half16((uint*)group + row, k) << 16);
    }

    public override void Multiply(in LinearTile tile, float* scratch) => kernels.Multiply(tile, Bf16Tiles.Units(tile.Columns));
}
