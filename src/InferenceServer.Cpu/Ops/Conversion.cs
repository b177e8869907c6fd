using InferenceServer.Core.Compute;

namespace InferenceServer.Cpu.Ops;

/// <summary>
/// f32 to what a model's weights are loaded as: the same roundings as llama.cpp's quantize without an importance matrix (ggml-quants.c,
/// quantize_row_q8_0_ref and quantize_row_q4_0_ref).
/// </summary>
internal static unsafe class Conversion
{
    /// <exception cref="NotSupportedException">Nothing is converted to this type.</exception>
    public static void FromFloats(float* values, int columns, ElementType type, byte* stored)
    {
        switch (type)
        {
            case ElementType.F32:
                new ReadOnlySpan<float>(values, columns).CopyTo(new Span<float>(stored, columns));
                break;
            case ElementType.BF16:
                for (int i = 0; i < columns; i++) ((ushort*)stored)[i] = ToBf16(values[i]);
                break;
            case ElementType.Q8:
                for (int i = 0; i < columns; i += 32, stored += 34) ToQ8(values + i, stored);
                break;
            case ElementType.Q4:
                for (int i = 0; i < columns; i += 32, stored += 18) ToQ4(values + i, stored);
                break;
            default:
                throw new NotSupportedException($"Weights are not converted to {type} at load.");
        }
    }

    /// <summary>To nearest, ties to even; NaN stays NaN.</summary>
    public static ushort ToBf16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)0x7FC0 : (ushort)(bits + 0x7FFF + (bits >> 16 & 1) >> 16);
    }

    private static void ToQ8(float* values, byte* block)
    {
        float largest = 0;
        for (int i = 0; i < 32; i++) largest = MathF.Max(largest, MathF.Abs(values[i]));
        float scale = largest / 127f, inverse = scale == 0 ? 0 : 1 / scale;
        *(Half*)block = (Half)scale;
        for (int i = 0; i < 32; i++) ((sbyte*)block)[2 + i] = (sbyte)MathF.Round(values[i] * inverse, MidpointRounding.AwayFromZero);
    }

    /// <summary>The value farthest from 0 becomes -8, which has no positive twin. One NaN makes the block NaN: it must not pass for a number.</summary>
    private static void ToQ4(float* values, byte* block)
    {
        float farthest = 0;
        for (int i = 0; i < 32; i++) farthest = MathF.Abs(values[i]) > MathF.Abs(farthest) || float.IsNaN(values[i]) ? values[i] : farthest;
        float scale = farthest / -8, inverse = scale == 0 ? 0 : 1 / scale;
        *(Half*)block = (Half)scale;
        for (int i = 0; i < 16; i++) block[2 + i] = (byte)(Number(values[i] * inverse) | Number(values[16 + i] * inverse) << 4);
    }

    private static int Number(float scaled) => Math.Min(15, (int)(scaled + 8.5f));
}
