using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Ops;

namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// F32, F16 and BF16 in managed code: rows interleaved by 32-bit words (see <see cref="Tile"/>), multiplied straight from the stored format for few tokens
/// and through widened panels for many.
/// </summary>
internal sealed unsafe class WordFormat(FormatKernels kernels) : WeightFormat
{
    /// <summary>Words of a row copied before the next row's turn: 256 * 64 bytes of destination stay in the first-level cache.</summary>
    private const int BlockWords = 256;

    public override ElementType Type => kernels.Type;

    public override InputForm Input => InputForm.F32;

    public override long GroupBytes(int columns) => (long)kernels.WordsPerRow(columns) * Tile.WordBytes;

    public override void Pack(byte** rows, int columns, byte* group)
    {
        int words = kernels.WordsPerRow(columns), rowBytes = columns * Type.Bytes();
        for (int first = 0; first < words; first += BlockWords)
        {
            for (int row = 0; row < Tile.GroupRows; row++)
                CopyWords(rows[row], rowBytes, first, Math.Min(BlockWords, words - first), (uint*)group + (long)first * Tile.GroupRows + row);
        }
    }

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

    private static void CopyWords(byte* row, int rowBytes, int firstWord, int words, uint* target)
    {
        int begin = firstWord * sizeof(uint);
        ReadOnlySpan<byte> source = row is null ? [] : new ReadOnlySpan<byte>(row + begin, rowBytes - begin);
        ReadOnlySpan<uint> whole = MemoryMarshal.Cast<byte, uint>(source);
        int copied = Math.Min(words, whole.Length);
        for (int i = 0; i < copied; i++, target += Tile.GroupRows) *target = whole[i];
        for (int i = copied; i < words; i++, target += Tile.GroupRows)
            *target = i == whole.Length && source.Length % sizeof(uint) != 0 ? MemoryMarshal.Read<ushort>(source[(i * sizeof(uint))..]) : 0u;
    }

    private static uint Half16(uint* words, int column) => (words[(long)(column / 2) * Tile.GroupRows] >> (column % 2 * 16)) & 0xFFFF;
}
