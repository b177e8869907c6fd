using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Kernels.Quantized;

namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// Packing by vectors: sixteen bytes of sixteen rows are transposed at once, and what a format does with bits is done afterwards, on whole vectors
/// of sixteen rows. Limited by memory for plain numbers, Q8 and Q4.
/// </summary>
internal sealed unsafe class RowPacker<TTranspose> : RowPacker
    where TTranspose : struct, IRowTranspose
{
    private const int VectorBytes = Tile.WordBytes;

    /// <summary>Four vectors: what 16 bytes of sixteen rows become.</summary>
    private const int QuadBytes = 4 * VectorBytes;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Words(byte** rows, int rowBytes, int words, byte* group)
    {
        int quads = HasPadding(rows) ? 0 : rowBytes / 16;
        for (int quad = 0; quad < quads; quad++) TTranspose.FourWords(rows, quad * 16, 0, group + (long)quad * QuadBytes);
        if (quads * 4 < words) WordsFrom(quads * 4, rows, rowBytes, words, group);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Halves(byte** rows, int columns, int padded, byte* group)
    {
        byte* words = stackalloc byte[QuadBytes];
        int quads = HasPadding(rows) ? 0 : columns / 8;
        for (int quad = 0; quad < quads; quad++, group += QuadBytes)
        {
            TTranspose.FourWords(rows, quad * 16, 0, words);
            for (int vector = 0; vector < 4; vector++) SplitHalves(words + vector * VectorBytes, group + vector * VectorBytes);
        }

        if (quads * 8 < padded) HalvesFrom(quads * 8, rows, columns, padded, group - (long)quads * QuadBytes);
    }

    public override void Blocks(ElementType type, byte** rows, int columns, byte* group)
    {
        if (HasPadding(rows))
        {
            base.Blocks(type, rows, columns, group);
            return;
        }

        switch (type)
        {
            case ElementType.Q8: Q8(rows, columns, group); break;
            case ElementType.Q4: Q4(rows, columns, group); break;
            case ElementType.Q4K: Q4K(rows, columns, group); break;
            case ElementType.Q5K: Q5K(rows, columns, group); break;
            case ElementType.Q6K: Q6K(rows, columns, group); break;
            default: base.Blocks(type, rows, columns, group); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Q8(byte** rows, int columns, byte* group)
    {
        int blocks = columns / 32;
        for (int block = 0; block < blocks; block++)
        {
            byte* unit = group + (long)(block / 2) * Q8Layout.UnitBytes, target = unit + block % 2 * 512;
            nint offset = (nint)block * 34;
            Halves16(rows, offset, (ushort*)(unit + Q8Layout.ScaleOffset + block % 2 * 32));
            TTranspose.FourWords(rows, offset + 2, 0x80808080, target);
            TTranspose.FourWords(rows, offset + 18, 0x80808080, target + QuadBytes);
        }

        if (blocks % 2 == 0) return;
        byte* last = group + (long)(blocks / 2) * Q8Layout.UnitBytes;
        new Span<byte>(last + 512, 512).Fill(0x80);
        new Span<byte>(last + Q8Layout.ScaleOffset + 32, 32).Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Q4(byte** rows, int columns, byte* group)
    {
        int blocks = columns / 32;
        for (int block = 0; block < blocks; block++)
        {
            byte* unit = group + (long)(block / 2) * Q4Layout.UnitBytes;
            nint offset = (nint)block * 18;
            Halves16(rows, offset, (ushort*)(unit + Q4Layout.ScaleOffset + block % 2 * 32));
            TTranspose.FourWords(rows, offset + 2, 0, unit + block % 2 * 256);
        }

        if (blocks % 2 == 0) return;
        byte* last = group + (long)(blocks / 2) * Q4Layout.UnitBytes;
        new Span<byte>(last + 256, 256).Fill(0x88);
        new Span<byte>(last + Q4Layout.ScaleOffset + 32, 32).Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Q4K(byte** rows, int columns, byte* group)
    {
        byte* scratch = stackalloc byte[2 * QuadBytes];
        int supers = PlainPacking.Supers(columns);
        nint offset = 0;
        for (int super = 0; super < supers; super++, group += Q4KLayout.SuperBytes, offset += 144)
        {
            byte* unit = group + Q4KLayout.HeaderBytes;
            KHeader(rows, offset, group, scratch);
            for (int i = 0; i < 4; i++, unit += Q4KLayout.UnitBytes)
            {
                KScales(scratch, i, unit + Q4KLayout.ScaleOffset, unit + Q4KLayout.MinimumOffset);
            }

            unit = group + Q4KLayout.HeaderBytes;
            for (int i = 0; i < 4; i++, unit += Q4KLayout.UnitBytes) Nibbles(rows, offset + 16 + i * 32, scratch, unit, unit + 256);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Q5K(byte** rows, int columns, byte* group)
    {
        byte* scratch = stackalloc byte[2 * QuadBytes];
        int supers = PlainPacking.Supers(columns);
        nint offset = 0;
        for (int super = 0; super < supers; super++, group += Q5KLayout.SuperBytes, offset += 176)
        {
            byte* first = group + Q5KLayout.HeaderBytes, unit = first;
            KHeader(rows, offset, group, scratch);
            for (int i = 0; i < 4; i++, unit += Q5KLayout.UnitBytes)
            {
                KScales(scratch, i, unit + Q5KLayout.ScaleOffset, unit + Q5KLayout.MinimumOffset);
            }

            // Vector s, bit b of a byte: column 4s of block b. Exchanged, it is vector b, bit s: a block's fifth bits.
            TTranspose.FourWords(rows, offset + 16, 0, scratch);
            TTranspose.FourWords(rows, offset + 32, 0, scratch + QuadBytes);
            ExchangeBits(scratch, 8, 1);
            for (int block = 0; block < 8; block++)
                Copy(scratch + block * VectorBytes, first + block / 2 * Q5KLayout.UnitBytes + Q5KLayout.FifthOffset + block % 2 * VectorBytes);
            unit = first;
            for (int i = 0; i < 4; i++, unit += Q5KLayout.UnitBytes) Nibbles(rows, offset + 48 + i * 32, scratch, unit, unit + 256);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Q6K(byte** rows, int columns, byte* group)
    {
        byte* scratch = stackalloc byte[2 * QuadBytes];
        int supers = PlainPacking.Supers(columns);
        nint offset = 0;
        for (int super = 0; super < supers; super++, group += Q6KLayout.SuperBytes, offset += 210)
        {
            byte* first = group + Q6KLayout.HeaderBytes;
            new Span<byte>(group, Q6KLayout.HeaderBytes).Clear();
            Halves16(rows, offset + 208, (ushort*)group);
            TTranspose.FourWords(rows, offset + 192, 0, scratch);
            for (int i = 0; i < 4; i++)
            {
                byte* scales = first + i * Q6KLayout.UnitBytes + Q6KLayout.ScaleOffset;
                SplitBytes(scratch + i * VectorBytes, scales, scales + 32);
            }

            for (int half = 0; half < 2; half++)
            {
                // Blocks 0 to 3 of a half share bytes: low nibbles 0 and 1, high ones 2 and 3; bit pair b of a high byte is block b's.
                byte* blocks01 = first + 2 * half * Q6KLayout.UnitBytes, blocks23 = blocks01 + Q6KLayout.UnitBytes;
                nint low = offset + half * 64, high = offset + 128 + half * 32;
                Nibbles(rows, low, scratch, blocks01, blocks23);
                Nibbles(rows, low + 32, scratch, blocks01 + Q6KLayout.BlockBytes, blocks23 + Q6KLayout.BlockBytes);
                for (int part = 0; part < 2; part++)
                {
                    TTranspose.FourWords(rows, high + part * 16, 0, scratch);
                    ExchangeBits(scratch, 4, 2);
                    int place = Q6KLayout.PairsOffset + part * VectorBytes;
                    Copy(scratch, blocks01 + place);
                    Copy(scratch + VectorBytes, blocks01 + Q6KLayout.BlockBytes + place);
                    Copy(scratch + 2 * VectorBytes, blocks23 + place);
                    Copy(scratch + 3 * VectorBytes, blocks23 + Q6KLayout.BlockBytes + place);
                }
            }
        }
    }

    /// <summary>
    /// d and dmin to the group's header, and twelve bytes with eight 6-bit scales and minimums to four vectors: scales 0-3, scales 4-7, minimums 0-3,
    /// minimums 4-7, a byte each (ggml's get_scale_min_k4).
    /// </summary>
    private static void KHeader(byte** rows, nint offset, byte* group, byte* vectors)
    {
        uint* target = (uint*)vectors;
        for (int row = 0; row < Tile.GroupRows; row++, target++)
        {
            byte* source = rows[row] + offset;
            uint both = *(uint*)source, a = *(uint*)(source + 4), b = *(uint*)(source + 8), c = *(uint*)(source + 12);
            ((ushort*)group)[row] = (ushort)both;
            ((ushort*)group)[Tile.GroupRows + row] = (ushort)(both >> 16);
            target[0] = a & 0x3F3F3F3F;
            target[16] = c & 0x0F0F0F0F | (a >> 6 & 0x03030303) << 4;
            target[32] = b & 0x3F3F3F3F;
            target[48] = c >> 4 & 0x0F0F0F0F | (b >> 6 & 0x03030303) << 4;
        }
    }

    /// <summary>Two blocks' scales and minimums out of <see cref="KHeader"/>'s vectors.</summary>
    private static void KScales(byte* vectors, int unit, byte* scales, byte* minimums)
    {
        byte* vector = vectors + unit / 2 * VectorBytes;
        int shift = unit % 2 * 16;
        Byte(vector, shift).Store(scales);
        Byte(vector, shift + 8).Store(scales + 16);
        Byte(vector + 2 * VectorBytes, shift).Store(minimums);
        Byte(vector + 2 * VectorBytes, shift + 8).Store(minimums + 16);
    }

    /// <summary>32 bytes of sixteen rows to two blocks of four vectors: the bytes' low nibbles are one block's 32 numbers, the high ones the other's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Nibbles(byte** rows, nint offset, byte* scratch, byte* lowBlock, byte* highBlock)
    {
        TTranspose.FourWords(rows, offset, 0, scratch);
        TTranspose.FourWords(rows, offset + 16, 0, scratch + QuadBytes);
        Vector<uint> mask = new(0x0F0F0F0F);
        for (int i = 0; i < QuadBytes; i += Vector<byte>.Count)
        {
            Vector<uint> first = Load(scratch + i), second = Load(scratch + QuadBytes + i);
            Store((first & mask) | ((second & mask) << 4), lowBlock + i);
            Store(((first >> 4) & mask) | Vector.AndNot(second, mask), highBlock + i);
        }
    }

    /// <summary>
    /// Within every byte of <paramref name="count"/> vectors: field f of vector v becomes field v of vector f. Fields have <paramref name="bits"/> bits and fill a byte.
    /// By halves, quarters, eighths (Hacker's Delight, 7-3).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ExchangeBits(byte* vectors, int count, int bits)
    {
        for (int distance = count / 2; distance > 0; distance /= 2)
        {
            int shift = distance * bits;
            Vector<uint> mask = new(shift switch { 4 => 0x0F0F0F0Fu, 2 => 0x33333333u, _ => 0x55555555u });
            for (int i = 0; i < count; i++)
            {
                if ((i & distance) != 0) continue;
                byte* one = vectors + i * VectorBytes, other = one + distance * VectorBytes;
                for (int k = 0; k < VectorBytes; k += Vector<byte>.Count)
                {
                    Vector<uint> a = Load(one + k), b = Load(other + k), swapped = ((a >> shift) ^ b) & mask;
                    Store(a ^ (swapped << shift), one + k);
                    Store(b ^ swapped, other + k);
                }
            }
        }
    }

    /// <summary>Sixteen words' low halves, then their high ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SplitHalves(byte* words, byte* target)
    {
        Vector128<uint> a = Vector128.Load((uint*)words), b = Vector128.Load((uint*)words + 4), c = Vector128.Load((uint*)words + 8), d = Vector128.Load((uint*)words + 12);
        Vector128.Narrow(a, b).Store((ushort*)target);
        Vector128.Narrow(c, d).Store((ushort*)target + 8);
        Vector128.Narrow(a >> 16, b >> 16).Store((ushort*)target + 16);
        Vector128.Narrow(c >> 16, d >> 16).Store((ushort*)target + 24);
    }

    /// <summary>Sixteen words' bytes 0 and 1 to one place, bytes 2 and 3 to the other.</summary>
    private static void SplitBytes(byte* words, byte* first, byte* second)
    {
        Byte(words, 0).Store(first);
        Byte(words, 8).Store(first + 16);
        Byte(words, 16).Store(second);
        Byte(words, 24).Store(second + 16);
    }

    /// <summary>One byte of each of sixteen words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Byte(byte* words, int shift)
    {
        Vector128<uint> a = Vector128.Load((uint*)words) >> shift, b = Vector128.Load((uint*)words + 4) >> shift;
        Vector128<uint> c = Vector128.Load((uint*)words + 8) >> shift, d = Vector128.Load((uint*)words + 12) >> shift;
        return Vector128.Narrow(Vector128.Narrow(a, b), Vector128.Narrow(c, d));
    }

    /// <summary>One 16-bit number of each row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Halves16(byte** rows, nint offset, ushort* target)
    {
        for (int row = 0; row < Tile.GroupRows; row++) target[row] = *(ushort*)(rows[row] + offset);
    }

    private static bool HasPadding(byte** rows)
    {
        for (int row = 0; row < Tile.GroupRows; row++)
            if (rows[row] is null) return true;
        return false;
    }

    private static void Copy(byte* source, byte* target) => Buffer.MemoryCopy(source, target, VectorBytes, VectorBytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> Load(byte* source) => Unsafe.ReadUnaligned<Vector<uint>>(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector<uint> vector, byte* target) => Unsafe.WriteUnaligned(target, vector);
}
