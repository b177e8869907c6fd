namespace InferenceServer.Core.Compute;

/// <summary>
/// How numbers are stored. A weight format is data: kernels are chosen by it at load. The quantized ones are GGUF's, block for block
/// (https://github.com/ggml-org/ggml, ggml-common.h): a row is a whole number of blocks, little-endian.
/// </summary>
public enum ElementType
{
    F32,
    F16,
    BF16,

    /// <summary>Q8_0: 32 numbers in 34 bytes: f16 scale d, 32 signed bytes q; d * q.</summary>
    Q8,

    /// <summary>Q4_0: 32 numbers in 18 bytes: f16 scale d, 16 bytes whose low nibbles are numbers 0-15 and high ones 16-31; d * (q - 8).</summary>
    Q4,

    /// <summary>Q4_K: 256 numbers in 144 bytes: f16 d and dmin, 12 bytes with eight 6-bit scales and mins, 128 bytes of nibbles; d * scale * q - dmin * min.</summary>
    Q4K,

    /// <summary>Q5_K: 256 numbers in 176 bytes: as Q4_K, with 32 bytes of fifth bits before the nibbles.</summary>
    Q5K,

    /// <summary>Q6_K: 256 numbers in 210 bytes: 128 bytes of low nibbles, 64 of high bit pairs, 16 signed scales, f16 d; d * scale * (q - 32).</summary>
    Q6K,
}

public static class ElementTypes
{
    /// <summary>Bytes of one number.</summary>
    /// <exception cref="NotSupportedException">Numbers of this type come in blocks: see <see cref="RowBytes"/>.</exception>
    public static int Bytes(this ElementType type) => type.BlockColumns() == 1
        ? type.BlockBytes()
        : throw new NotSupportedException($"{type} has no size of one number; it stores {type.BlockColumns()} in {type.BlockBytes()} bytes.");

    /// <summary>Numbers that share a scale in storage; 1 for plain numbers.</summary>
    public static int BlockColumns(this ElementType type) => type switch
    {
        ElementType.F32 or ElementType.F16 or ElementType.BF16 => 1,
        ElementType.Q8 or ElementType.Q4 => 32,
        _ => 256,
    };

    /// <summary>Bytes of one block of <see cref="BlockColumns"/> numbers.</summary>
    public static int BlockBytes(this ElementType type) => type switch
    {
        ElementType.F32 => 4,
        ElementType.F16 or ElementType.BF16 => 2,
        ElementType.Q8 => 34,
        ElementType.Q4 => 18,
        ElementType.Q4K => 144,
        ElementType.Q5K => 176,
        ElementType.Q6K => 210,
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

    /// <summary>Stored bytes of a row.</summary>
    /// <exception cref="ArgumentException">The row is not a whole number of blocks.</exception>
    public static long RowBytes(this ElementType type, long columns) => columns % type.BlockColumns() == 0
        ? checked(columns / type.BlockColumns() * type.BlockBytes())
        : throw new ArgumentException($"A row of {columns} numbers is not a whole number of {type} blocks of {type.BlockColumns()}.");

    public static bool IsQuantized(this ElementType type) => type.BlockColumns() > 1;
}

/// <summary>
/// A named tensor in host memory, usually a memory-mapped file. Row-major. Valid while its owner is open; thread-safe to read.
/// </summary>
public abstract class HostTensor(string name, ElementType type, IReadOnlyList<long> shape)
{
    public string Name { get; } = name;

    public ElementType Type { get; } = type;

    public IReadOnlyList<long> Shape { get; } = shape;

    /// <summary>All dimensions but the last; 1 for a vector.</summary>
    public long Rows
    {
        get
        {
            long rows = 1;
            for (int i = 0; i < Shape.Count - 1; i++) rows *= Shape[i];
            return rows;
        }
    }

    /// <summary>The last dimension.</summary>
    public int Columns => checked((int)Shape[^1]);

    /// <summary>All stored bytes.</summary>
    public long Bytes => checked(Rows * Type.RowBytes(Columns));

    /// <summary>
    /// Do rows stay where they are until the owner closes, as in a mapped file? Then a reader may keep their addresses meanwhile; otherwise the collector
    /// may move them, and they must be copied or pinned.
    /// </summary>
    public virtual bool StaysInPlace => false;

    /// <summary>
    /// Tells that its reader is done, so that memory which a file backs may be given back to the system. Only advice: rows can be read again, from the file.
    /// </summary>
    public virtual void Release()
    {
        // Nothing to give back where no file is behind it.
    }

    /// <summary>The stored bytes of one row: Columns numbers, <see cref="ElementTypes.RowBytes"/>.</summary>
    public abstract ReadOnlySpan<byte> Row(long row);
}
