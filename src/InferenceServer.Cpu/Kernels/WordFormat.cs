using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Ops;

namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// F32, F16 and BF16 in managed code: rows interleaved by 32-bit words (see <see cref="Tile"/>), multiplied straight from the stored format for few tokens
/// and through widened panels for many.
/// </summary>
internal sealed unsafe class WordFormat(FormatKernels kernels) : WeightFormat
{
    public override ElementType Type => kernels.Type;

    public override string Layout => "words";

    public override InputForm InputFor(int tokens) => InputForm.F32;

    public override long GroupBytes(int columns) => (long)kernels.WordsPerRow(columns) * Tile.WordBytes;

    public override void Pack(byte** rows, int columns, byte* group) =>
        RowPacker.Best.Words(rows, columns * Type.Bytes(), kernels.WordsPerRow(columns), group);

    public override void Unpack(byte* group, int row, int columns, float* output)
    {
        uint* words = (uint*)group + row;
        for (int k = 0; k < columns; k++)
        {
            output[k] = Type switch
            {
                ElementType.F32 => BitConverter.UInt32BitsToSingle(words[(long)k * Tile.GroupRows]),
                ElementType.BF16 => BitConverter.UInt32BitsToSingle(Half16(words, k) << 16),
                _ => (float)BitConverter.UInt16BitsToHalf((ushort)Half16(words, k)),
            };
        }
    }

    public override void Multiply(in LinearTile linear, float* scratch)
    {
        Tile tile = new()
        {
            Weights = linear.Weights,
            GroupStride = linear.GroupStride,
            WordStride = Tile.WordBytes,
            Groups = linear.Groups,
            Input = (float*)linear.Input,
            InputStride = linear.InputStride / sizeof(float),
            Rows = linear.Rows,
            Columns = linear.Columns,
            Output = linear.Output,
            OutputStride = linear.OutputStride,
        };
        if (linear.Rows < kernels.MinTokensForPanels) kernels.Multiply(&tile);
        else MultiplyPanels(tile, scratch);
    }

    /// <summary>A panel stays in the first-level cache while all tokens pass over it; sums continue from panel to panel.</summary>
    private void MultiplyPanels(Tile whole, float* panel)
    {
        Tile tile = whole;
        tile.Groups = 1;
        for (int group = 0; group < whole.Groups; group++)
        {
            byte* weights = whole.Weights + group * whole.GroupStride;
            tile.Output = whole.Output + group * Tile.GroupRows;
            for (int column = 0; column < whole.Columns; column += LinearLayer.PanelColumns)
            {
                tile.Weights = weights + column / kernels.ColumnsPerWord * whole.WordStride;
                tile.Columns = Math.Min(LinearLayer.PanelColumns, whole.Columns - column);
                tile.Input = whole.Input + column;
                tile.Accumulate = column > 0;
                if (kernels.Expand != null)
                {
                    kernels.Expand(tile.Weights, whole.WordStride, tile.Columns, panel);
                    tile.Weights = (byte*)panel;
                }

                kernels.MultiplyF32(&tile);
            }
        }
    }

    /// <summary>A column of the row whose words begin at <paramref name="words"/>.</summary>
    public static uint Half16(uint* words, int column) => (words[(long)(column / 2) * Tile.GroupRows] >> (column % 2 * 16)) & 0xFFFF;
}
