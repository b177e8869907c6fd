using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using InferenceServer.Core.Compute;

namespace InferenceServer.Cpu.Ops;

/// <summary>
/// f32 to what a model's weights are loaded as: the same roundings as llama.cpp's quantize without an importance matrix (ggml-quants.c,
/// quantize_row_q8_0_ref and quantize_row_q4_0_ref). By vectors of eight; the plain loops are the tests' twin, bit for bit.
/// </summary>
internal static unsafe class Conversion
{
    private const int Block = 32, Lanes = 8;
    private const float BelowHalf = 0.49999997f; // added before truncation it rounds halves away from zero, and nothing below a half (MathF.Round's way)

    /// <exception cref="NotSupportedException">Nothing is converted to this type.</exception>
    public static void FromFloats(float* values, int columns, ElementType type, byte* stored)
    {
        switch (type)
        {
            case ElementType.F32:
                new ReadOnlySpan<float>(values, columns).CopyTo(new Span<float>(stored, columns));
                break;
            case ElementType.BF16:
                ToBf16(values, columns, (ushort*)stored);
                break;
            case ElementType.Q8:
                ToQ8(values, columns, stored);
                break;
            case ElementType.Q4:
                ToQ4(values, columns, stored);
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

    /// <summary>To nearest, ties to even; weights at load and activations in a step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void ToBf16(float* values, int columns, ushort* stored)
    {
        int i = 0;
        for (; i <= columns - 2 * Lanes; i += 2 * Lanes)
            Vector256.Narrow(RoundedBf16(Vector256.Load(values + i)), RoundedBf16(Vector256.Load(values + i + Lanes))).Store(stored + i);
        for (; i < columns; i++) stored[i] = ToBf16(values[i]);
    }

    private static Vector256<uint> RoundedBf16(Vector256<float> value)
    {
        Vector256<uint> bits = value.AsUInt32();
        Vector256<uint> rounded = (bits + Vector256.Create(0x7FFFu) + ((bits >> 16) & Vector256<uint>.One)) >> 16;
        return Vector256.ConditionalSelect(Vector256.Equals(value, value).AsUInt32(), rounded, Vector256.Create(0x7FC0u));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ToQ8(float* values, int columns, byte* block)
    {
        for (int i = 0; i < columns; i += Block, block += 34)
        {
            float scale = Largest(values + i) / 127f, inverse = scale == 0 ? 0 : 1 / scale;
            *(Half*)block = (Half)scale;
            for (int k = 0; k < Block; k += 4 * Lanes)
            {
                float* at = values + i + k;
                Vector256<short> first = Vector256.Narrow(Rounded(at, inverse), Rounded(at + Lanes, inverse));
                Vector256<short> second = Vector256.Narrow(Rounded(at + 2 * Lanes, inverse), Rounded(at + 3 * Lanes, inverse));
                Vector256.Narrow(first, second).Store((sbyte*)block + 2 + k);
            }
        }
    }

    /// <summary>Halves away from zero.</summary>
    private static Vector256<int> Rounded(float* values, float inverse)
    {
        Vector256<float> scaled = Vector256.Load(values) * inverse;
        return Vector256.ConvertToInt32(Vector256.Truncate(scaled + Vector256.CopySign(Vector256.Create(BelowHalf), scaled)));
    }

    /// <summary>The largest magnitude of a block; NaN if there is one.</summary>
    private static float Largest(float* values)
    {
        Vector256<float> largest = Vector256.Max(
            Vector256.Max(Vector256.Abs(Vector256.Load(values)), Vector256.Abs(Vector256.Load(values + Lanes))),
            Vector256.Max(Vector256.Abs(Vector256.Load(values + 2 * Lanes)), Vector256.Abs(Vector256.Load(values + 3 * Lanes))));
        Vector128<float> four = Vector128.Max(largest.GetLower(), largest.GetUpper());
        return MathF.Max(MathF.Max(four[0], four[1]), MathF.Max(four[2], four[3]));
    }

    /// <summary>The value farthest from 0 becomes -8, which has no positive twin. One NaN makes the block NaN: it must not pass for a number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ToQ4(float* values, int columns, byte* block)
    {
        for (int i = 0; i < columns; i += Block, block += 18)
        {
            float scale = Farthest(values + i) / -8, inverse = scale == 0 ? 0 : 1 / scale;
            *(Half*)block = (Half)scale;
            Vector256<short> numbers = Vector256.Narrow(NumberPairs(values + i, inverse), NumberPairs(values + i + Lanes, inverse));
            Vector128.Narrow(numbers.GetLower(), numbers.GetUpper()).AsByte().Store(block + 2);
        }
    }

    /// <summary>Numbers of eight values, and those of the half block behind them in the nibbles above.</summary>
    private static Vector256<int> NumberPairs(float* values, float inverse) => Numbers(values, inverse) | Numbers(values + Block / 2, inverse) << 4;

    private static Vector256<int> Numbers(float* values, float inverse) =>
        Vector256.Min(Vector256.Create(15), Vector256.ConvertToInt32(Vector256.Load(values) * inverse + Vector256.Create(8.5f)));

    /// <summary>The first of the values farthest from 0; NaN if there is one.</summary>
    private static float Farthest(float* values)
    {
        float largest = Largest(values);
        if (largest == 0 || float.IsNaN(largest)) return largest;
        uint found = 0;
        for (int i = 0; i < Block; i += Lanes)
            found |= Vector256.Equals(Vector256.Abs(Vector256.Load(values + i)), Vector256.Create(largest)).ExtractMostSignificantBits() << i;
        return values[BitOperations.TrailingZeroCount(found)];
    }
}
