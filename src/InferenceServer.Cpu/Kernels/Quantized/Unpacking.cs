namespace InferenceServer.Cpu.Kernels.Quantized;

/// <summary>One row of a packed group as f32: what an embedding's lookup reads. Columns are a multiple of 32.</summary>
internal static unsafe class Unpacking
{
    public static void Q8(byte* group, int row, int columns, float* output)
    {
        for (int column = 0; column < columns; column += 32, output += 32)
        {
            byte* unit = group + (long)(column / 64) * Q8Layout.UnitBytes;
            int block = column / 32 % 2;
            float scale = Half(unit + Q8Layout.ScaleOffset + block * 32, row);
            for (int i = 0; i < 32; i++) output[i] = scale * (unit[block * 512 + Place(i, row)] - 128);
        }
    }

    public static void Q4(byte* group, int row, int columns, float* output)
    {
        for (int column = 0; column < columns; column += 32, output += 32)
        {
            byte* unit = group + (long)(column / 64) * Q4Layout.UnitBytes;
            int block = column / 32 % 2;
            float scale = Half(unit + Q4Layout.ScaleOffset + block * 32, row);
            for (int i = 0; i < 32; i++) output[i] = scale * (Nibble(unit + block * 256, i, row) - 8);
        }
    }

    public static void Q4K(byte* group, int row, int columns, float* output)
    {
        for (int column = 0; column < columns; column++)
        {
            byte* super = group + (long)(column / 256) * Q4KLayout.SuperBytes;
            byte* unit = super + Q4KLayout.HeaderBytes + column / 64 % 4 * Q4KLayout.UnitBytes;
            output[column] = FromK(super, unit + Q4KLayout.ScaleOffset, Nibble(unit + column / 32 % 2 * 256, column % 32, row), column, row);
        }
    }

    public static void Q5K(byte* group, int row, int columns, float* output)
    {
        for (int column = 0; column < columns; column++)
        {
            byte* super = group + (long)(column / 256) * Q5KLayout.SuperBytes;
            byte* unit = super + Q5KLayout.HeaderBytes + column / 64 % 4 * Q5KLayout.UnitBytes;
            int block = column / 32 % 2, place = column % 32;
            int fifth = unit[Q5KLayout.FifthOffset + block * 64 + row * 4 + place % 4] >> (place / 4) & 1;
            output[column] = FromK(super, unit + Q5KLayout.ScaleOffset, Nibble(unit + block * 256, place, row) | fifth << 4, column, row);
        }
    }

    public static void Q6K(byte* group, int row, int columns, float* output)
    {
        for (int column = 0; column < columns; column++)
        {
            byte* super = group + (long)(column / 256) * Q6KLayout.SuperBytes;
            byte* unit = super + Q6KLayout.HeaderBytes + column / 64 % 4 * Q6KLayout.UnitBytes;
            byte* block = unit + column / 32 % 2 * Q6KLayout.BlockBytes;
            int place = column % 32, half = place / 16;
            int pair = block[Q6KLayout.PairsOffset + half * 64 + row * 4 + place % 4] >> (place % 16 / 4 * 2) & 3;
            float scale = Half(super, row) * (sbyte)unit[Q6KLayout.ScaleOffset + column / 16 % 4 * 16 + row];
            output[column] = scale * ((Nibble(block, place, row) | pair << 4) - 32);
        }
    }

    private static float FromK(byte* super, byte* scales, int number, int column, int row)
    {
        int at = column / 32 % 2 * 16 + row;
        return Half(super, row) * scales[at] * number - Half(super + 32, row) * scales[32 + at];
    }

    private static float Half(byte* halves, int row) => (float)BitConverter.UInt16BitsToHalf(((ushort*)halves)[row]);

    private static int Place(int column, int row) => column / 4 * 64 + row * 4 + column % 4;

    private static int Nibble(byte* vectors, int column, int row)
    {
        byte both = vectors[Place(column % 16, row)];
        return column < 16 ? both & 15 : both >> 4;
    }
}
