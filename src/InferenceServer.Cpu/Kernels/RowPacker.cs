using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Kernels.Quantized;

namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// Sixteen stored rows to a group of some layout. Plain loops here, which are also the way of groups with padding rows and of the columns that fill no
/// 16 bytes; <see cref="RowPacker{TTranspose}"/> does the bulk by vectors and gives the same bytes. Immutable and thread-safe.
/// </summary>
internal unsafe class RowPacker
{
    /// <summary>For tests: every way that this machine has, the plain one first.</summary>
    public static IReadOnlyList<RowPacker> All { get; } =
    [
        new RowPacker(),
        .. Transpose128.IsSupported ? [new RowPacker<Transpose128>()] : (RowPacker[])[],
        .. Transpose256.IsSupported ? [new RowPacker<Transpose256>()] : (RowPacker[])[],
        .. Transpose512.IsSupported ? [new RowPacker<Transpose512>()] : (RowPacker[])[],
    ];

    /// <summary>The widest.</summary>
    public static RowPacker Best { get; } = All[^1];

    /// <summary>Word w of row r at word (w * 16 + r).</summary>
    /// <param name="rows">Null is padding and becomes zeros.</param>
    /// <param name="rowBytes">Stored bytes of a row, even.</param>
    /// <param name="words">Words of a row in the group; those past its bytes become zeros.</param>
    /// <param name="group">words * 64 bytes.</param>
    public virtual void Words(byte** rows, int rowBytes, int words, byte* group) => WordsFrom(0, rows, rowBytes, words, group);

    /// <summary>Column k of row r at 16-bit place (k * 16 + r).</summary>
    /// <param name="rows">Null is padding and becomes zeros.</param>
    /// <param name="columns">Stored 16-bit numbers of a row.</param>
    /// <param name="padded">Columns in the group; those past the row's become zeros.</param>
    /// <param name="group">padded * 32 bytes.</param>
    public virtual void Halves(byte** rows, int columns, int padded, byte* group) => HalvesFrom(0, rows, columns, padded, group);

    /// <summary>Blocks of a quantized type: see <see cref="PlainPacking"/>.</summary>
    public virtual void Blocks(ElementType type, byte** rows, int columns, byte* group)
    {
        switch (type)
        {
            case ElementType.Q8: PlainPacking.Q8(rows, columns, group); break;
            case ElementType.Q4: PlainPacking.Q4(rows, columns, group); break;
            case ElementType.Q4K: PlainPacking.Q4K(rows, columns, group); break;
            case ElementType.Q5K: PlainPacking.Q5K(rows, columns, group); break;
            case ElementType.Q6K: PlainPacking.Q6K(rows, columns, group); break;
            default: throw new NotSupportedException($"{type} has no blocks to pack.");
        }
    }

    protected static void WordsFrom(int first, byte** rows, int rowBytes, int words, byte* group)
    {
        for (int row = 0; row < Tile.GroupRows; row++)
        {
            uint* target = (uint*)group + row;
            for (int word = first; word < words; word++) target[(long)word * Tile.GroupRows] = Word(rows[row], rowBytes, word);
        }
    }

    protected static void HalvesFrom(int first, byte** rows, int columns, int padded, byte* group)
    {
        for (int row = 0; row < Tile.GroupRows; row++)
        {
            ushort* source = (ushort*)rows[row], target = (ushort*)group + row;
            for (int k = first; k < padded; k++) target[(long)k * Tile.GroupRows] = source is null || k >= columns ? (ushort)0 : source[k];
        }
    }

    /// <summary>The last word of a row may be half a word.</summary>
    private static uint Word(byte* row, int rowBytes, int word)
    {
        int left = rowBytes - word * sizeof(uint);
        return row is null || left <= 0 ? 0 : left >= sizeof(uint) ? *(uint*)(row + word * sizeof(uint)) : *(ushort*)(row + word * sizeof(uint));
    }
}
