namespace InferenceServer.Cpu.Kernels.Quantized;

/// <summary>
/// The plain twin: GGUF's blocks (<see cref="Core.Compute.ElementType"/>) of 16 rows to a group of <see cref="Q8Layout"/> and its kind. A row that is null is padding.
/// Columns are a multiple of the format's block; the group is written whole, padding units too.
/// </summary>
internal static unsafe class PlainPacking
{
    public const int Rows = Tile.GroupRows;

    /// <summary>Units of 64 columns.</summary>
    public static int Units(int columns) => (columns + 63) / 64;

    /// <summary>Super-blocks of 256 columns.</summary>
    public static int Supers(int columns) => (columns + 255) / 256;

    public static void Q8(byte** rows, int columns, byte* group)
    {
        for (int block = 0; block < 2 * Units(columns); block++)
        {
            byte* unit = group + (long)(block / 2) * Q8Layout.UnitBytes;
            uint* words = (uint*)(unit + block % 2 * 512);
            ushort* scales = (ushort*)(unit + Q8Layout.ScaleOffset + block % 2 * 32);
            for (int row = 0; row < Rows; row++)
            {
                byte* source = rows[row] is not null && block * 32 < columns ? rows[row] + (long)block * 34 : null;
                scales[row] = source is null ? (ushort)0 : *(ushort*)source;
                for (int word = 0; word < 8; word++) words[word * Rows + row] = source is null ? 0x80808080 : *(uint*)(source + 2 + 4 * word) ^ 0x80808080;
            }
        }
    }

    public static void Q4(byte** rows, int columns, byte* group)
    {
        for (int block = 0; block < 2 * Units(columns); block++)
        {
            byte* unit = group + (long)(block / 2) * Q4Layout.UnitBytes;
            uint* words = (uint*)(unit + block % 2 * 256);
            ushort* scales = (ushort*)(unit + Q4Layout.ScaleOffset + block % 2 * 32);
            for (int row = 0; row < Rows; row++)
            {
                byte* source = rows[row] is not null && block * 32 < columns ? rows[row] + (long)block * 18 : null;
                scales[row] = source is null ? (ushort)0 : *(ushort*)source;
                for (int word = 0; word < 4; word++) words[word * Rows + row] = source is null ? 0x88888888 : *(uint*)(source + 2 + 4 * word);
            }
        }
    }

    public static void Q4K(byte** rows, int columns, byte* group)
    {
        byte* numbers = stackalloc byte[256];
        byte* scales = stackalloc byte[16];
        for (int super = 0; super < Supers(columns); super++, group += Q4KLayout.SuperBytes)
        {
            for (int row = 0; row < Rows; row++)
            {
                byte* source = rows[row] is null ? null : rows[row] + (long)super * 144;
                ReadKHeader(source, group, row, scales);
                if (source is null) new Span<byte>(numbers, 256).Clear();
                else ReadNibbles(source + 16, numbers);
                for (int block = 0; block < 8; block++)
                {
                    byte* unit = group + Q4KLayout.HeaderBytes + block / 2 * Q4KLayout.UnitBytes;
                    StoreNibbles(numbers + block * 32, unit + block % 2 * 256, row);
                    unit[Q4KLayout.ScaleOffset + block % 2 * 16 + row] = scales[block];
                    unit[Q4KLayout.MinimumOffset + block % 2 * 16 + row] = scales[8 + block];
                }
            }
        }
    }

    public static void Q5K(byte** rows, int columns, byte* group)
    {
        byte* numbers = stackalloc byte[256];
        byte* scales = stackalloc byte[16];
        for (int super = 0; super < Supers(columns); super++, group += Q5KLayout.SuperBytes)
        {
            for (int row = 0; row < Rows; row++)
            {
                byte* source = rows[row] is null ? null : rows[row] + (long)super * 176;
                ReadKHeader(source, group, row, scales);
                if (source is null) new Span<byte>(numbers, 256).Clear();
                else ReadNibbles(source + 48, numbers);
                for (int block = 0; block < 8; block++)
                {
                    byte* unit = group + Q5KLayout.HeaderBytes + block / 2 * Q5KLayout.UnitBytes;
                    StoreNibbles(numbers + block * 32, unit + block % 2 * 256, row);
                    byte* fifth = unit + Q5KLayout.FifthOffset + block % 2 * 64 + row * 4;
                    for (int place = 0; place < 4; place++) fifth[place] = source is null ? (byte)0 : FifthBits(source + 16, block, place);
                    unit[Q5KLayout.ScaleOffset + block % 2 * 16 + row] = scales[block];
                    unit[Q5KLayout.MinimumOffset + block % 2 * 16 + row] = scales[8 + block];
                }
            }
        }
    }

    public static void Q6K(byte** rows, int columns, byte* group)
    {
        byte* numbers = stackalloc byte[256];
        for (int super = 0; super < Supers(columns); super++, group += Q6KLayout.SuperBytes)
        {
            new Span<byte>(group, Q6KLayout.HeaderBytes).Clear();
            for (int row = 0; row < Rows; row++)
            {
                byte* source = rows[row] is null ? null : rows[row] + (long)super * 210;
                ((ushort*)group)[row] = source is null ? (ushort)0 : *(ushort*)(source + 208);
                if (source is null) new Span<byte>(numbers, 256).Clear();
                else ReadSixBits(source, numbers);
                for (int block = 0; block < 8; block++)
                {
                    byte* unit = group + Q6KLayout.HeaderBytes + block / 2 * Q6KLayout.UnitBytes;
                    byte* target = unit + block % 2 * Q6KLayout.BlockBytes;
                    StoreNibbles(numbers + block * 32, target, row);
                    StorePairs(numbers + block * 32, target + Q6KLayout.PairsOffset, row);
                    StorePairs(numbers + block * 32 + 16, target + Q6KLayout.PairsOffset + 64, row);
                    for (int half = 0; half < 2; half++)
                        unit[Q6KLayout.ScaleOffset + (block % 2 * 2 + half) * 16 + row] = source is null ? (byte)0 : source[192 + block * 2 + half];
                }
            }
        }
    }

    /// <summary>d and dmin to the group's header; eight 6-bit scales, then eight minimums, to bytes (ggml's get_scale_min_k4).</summary>
    private static void ReadKHeader(byte* source, byte* group, int row, byte* scales)
    {
        ((ushort*)group)[row] = source is null ? (ushort)0 : *(ushort*)source;
        ((ushort*)group)[Rows + row] = source is null ? (ushort)0 : *(ushort*)(source + 2);
        byte* packed = source + 4;
        for (int i = 0; i < 8; i++)
        {
            if (source is null) (scales[i], scales[8 + i]) = (0, 0);
            else if (i < 4) (scales[i], scales[8 + i]) = ((byte)(packed[i] & 63), (byte)(packed[i + 4] & 63));
            else (scales[i], scales[8 + i]) = ((byte)(packed[i + 4] & 15 | packed[i - 4] >> 6 << 4), (byte)(packed[i + 4] >> 4 | packed[i] >> 6 << 4));
        }
    }

    /// <summary>Chunks of 64 columns in 32 bytes: the low nibbles first.</summary>
    private static void ReadNibbles(byte* source, byte* numbers)
    {
        for (int chunk = 0; chunk < 4; chunk++, source += 32, numbers += 64)
            for (int i = 0; i < 32; i++) (numbers[i], numbers[32 + i]) = ((byte)(source[i] & 15), (byte)(source[i] >> 4));
    }

    private static void ReadSixBits(byte* source, byte* numbers)
    {
        byte* low = source, high = source + 128;
        for (int half = 0; half < 2; half++, low += 64, high += 32, numbers += 128)
        {
            for (int i = 0; i < 32; i++)
            {
                numbers[i] = (byte)(low[i] & 15 | (high[i] & 3) << 4);
                numbers[32 + i] = (byte)(low[32 + i] & 15 | (high[i] >> 2 & 3) << 4);
                numbers[64 + i] = (byte)(low[i] >> 4 | (high[i] >> 4 & 3) << 4);
                numbers[96 + i] = (byte)(low[32 + i] >> 4 | high[i] >> 6 << 4);
            }
        }
    }

    private static byte FifthBits(byte* high, int block, int place)
    {
        int bits = 0;
        for (int step = 0; step < 8; step++) bits |= (high[4 * step + place] >> block & 1) << step;
        return (byte)bits;
    }

    /// <summary>The low four bits of 32 numbers to one row's words of four vectors.</summary>
    private static void StoreNibbles(byte* numbers, byte* vectors, int row)
    {
        for (int v = 0; v < 4; v++)
        {
            uint low = *(uint*)(numbers + 4 * v) & 0x0F0F0F0F, high = *(uint*)(numbers + 16 + 4 * v) & 0x0F0F0F0F;
            *(uint*)(vectors + v * 64 + row * 4) = low | high << 4;
        }
    }

    /// <summary>Bits 4 and 5 of 16 numbers to one row's word of a vector.</summary>
    private static void StorePairs(byte* numbers, byte* vector, int row)
    {
        uint word = 0;
        for (int v = 0; v < 4; v++) word |= (*(uint*)(numbers + 4 * v) >> 4 & 0x03030303) << (2 * v);
        *(uint*)(vector + row * 4) = word;
    }
}
