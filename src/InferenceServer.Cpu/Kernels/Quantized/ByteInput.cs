using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace InferenceServer.Cpu.Kernels.Quantized;

/// <summary>
/// A token's activations as signed bytes, a scale for every 32 (llama.cpp's Q8_0 and, but for the block's length, Q8_K do the same). A unit of 64 columns:
/// 64 bytes, 2 f32 scales, then what the weights' offset needs: 2 negated sums, 2 f32 scaled sums, or 4 negated sums of 16 columns.
/// </summary>
internal static unsafe class ByteInput
{
    public const int UnitColumns = 64;
    public const int BlockColumns = 32;
    public const int UnitBytes = 80;
    public const int UnitBytesSum16 = 88;

    public static int ScaleOffset(int block) => 64 + 4 * block;

    public static int SumOffset(int block) => 72 + 4 * block;

    public static int Sum16Offset(int half) => 72 + 4 * half;

    public static int UnitBytesOf(InputForm form) => form == InputForm.BytesSum16 ? UnitBytesSum16 : UnitBytes;

    /// <summary>Bytes of a prepared row, whole units for whole super-blocks; not a multiple of 4096, which would put all tokens in one cache set.</summary>
    public static long RowBytes(InputForm form, int columns)
    {
        long bytes = (long)Units(columns) * UnitBytesOf(form);
        return (bytes + 63) / 64 * 64 + 64;
    }

    /// <summary>Units of a prepared row: of whole super-blocks.</summary>
    public static int Units(int columns) => (columns + 255) / 256 * 4;

    /// <summary>Quantizes one row. Columns after the last become zeros with scale 0.</summary>
    /// <param name="input">(columns)</param>
    /// <param name="columns">Any number.</param>
    /// <param name="form">Which sums to store.</param>
    /// <param name="output"><see cref="RowBytes"/> bytes.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Quantize(float* input, int columns, InputForm form, byte* output)
    {
        int unitBytes = UnitBytesOf(form);
        float* last = stackalloc float[BlockColumns];
        for (int unit = 0; unit < Units(columns); unit++, output += unitBytes)
        {
            for (int block = 0; block < 2; block++)
            {
                float* source = Block(input, columns, unit, block, last);
                QuantizeBlock(source, (sbyte*)output + block * BlockColumns, out float scale, out int first, out int second);
                *(float*)(output + ScaleOffset(block)) = scale;
                if (form == InputForm.BytesSum) *(int*)(output + SumOffset(block)) = -(first + second);
                else if (form == InputForm.BytesScaledSum) *(float*)(output + SumOffset(block)) = scale * (first + second);
                else (*(int*)(output + Sum16Offset(2 * block)), *(int*)(output + Sum16Offset(2 * block + 1))) = (-first, -second);
            }
        }
    }

    /// <summary>The floats of a block: in place, or with zeros behind the last column in <paramref name="last"/>, which has room for one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float* Block(float* input, int columns, int unit, int block, float* last)
    {
        int column = unit * UnitColumns + block * BlockColumns;
        if (column + BlockColumns <= columns) return input + column;
        new Span<float>(last, BlockColumns).Clear();
        if (column < columns) new ReadOnlySpan<float>(input + column, columns - column).CopyTo(new Span<float>(last, BlockColumns));
        return last;
    }

    /// <summary>32 floats; <paramref name="first"/> and <paramref name="second"/> are the sums of each half's bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void QuantizeBlock(float* source, sbyte* values, out float scale, out int first, out int second)
    {
        if (Vector512.IsHardwareAccelerated && Avx512F.IsSupported) QuantizeWide(source, values, out scale, out first, out second);
        else QuantizeNarrow(source, values, out scale, out first, out second);
    }

    /// <summary>Where there are no 512 bits, and the other's twin.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void QuantizeNarrow(float* source, sbyte* values, out float scale, out int first, out int second)
    {
        Vector256<float> a = Vector256.Load(source), b = Vector256.Load(source + 8), c = Vector256.Load(source + 16), d = Vector256.Load(source + 24);
        Vector256<float> high = Vector256.Max(Vector256.Max(Vector256.Abs(a), Vector256.Abs(b)), Vector256.Max(Vector256.Abs(c), Vector256.Abs(d)));
        Vector128<float> top = Vector128.Max(high.GetLower(), high.GetUpper());
        top = Vector128.Max(top, Vector128.Shuffle(top, Vector128.Create(2, 3, 0, 1)));
        float largest = MathF.Max(top.ToScalar(), top.GetElement(1));
        scale = largest / 127f;
        Vector256<float> inverse = Vector256.Create(Inverse(largest));
        Vector256<int> i0 = Round(a * inverse), i1 = Round(b * inverse), i2 = Round(c * inverse), i3 = Round(d * inverse);
        Vector256<short> low = Vector256.Narrow(i0, i1), upper = Vector256.Narrow(i2, i3);
        Vector256.Narrow(low, upper).Store(values);
        first = Vector256.Sum(i0 + i1);
        second = Vector256.Sum(i2 + i3);
    }

    /// <summary>The same in half as many registers; sums of bytes, 128 more each, by the instruction for distances from 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void QuantizeWide(float* source, sbyte* values, out float scale, out int first, out int second)
    {
        Vector512<float> a = Vector512.Load(source), b = Vector512.Load(source + 16);
        Vector512<float> high = Vector512.Max(Vector512.Abs(a), Vector512.Abs(b));
        Vector256<float> upper = Vector256.Max(high.GetLower(), high.GetUpper());
        Vector128<float> top = Vector128.Max(upper.GetLower(), upper.GetUpper());
        top = Vector128.Max(top, Vector128.Shuffle(top, Vector128.Create(2, 3, 0, 1)));
        float largest = MathF.Max(top.ToScalar(), top.GetElement(1));
        scale = largest / 127f;
        Vector512<float> inverse = Vector512.Create(Inverse(largest));
        Vector128<sbyte> low = Avx512F.ConvertToVector128SByte(Vector512.ConvertToInt32(Vector512.Round(a * inverse)));
        Vector256<sbyte> bytes = Vector256.Create(low, Avx512F.ConvertToVector128SByte(Vector512.ConvertToInt32(Vector512.Round(b * inverse))));
        bytes.Store(values);
        Vector256<long> sums = Avx2.SumAbsoluteDifferences(bytes.AsByte() ^ Vector256.Create((byte)128), Vector256<byte>.Zero).AsInt64();
        first = (int)(sums[0] + sums[1]) - 16 * 128;
        second = (int)(sums[2] + sums[3]) - 16 * 128;
    }

    /// <summary>0 where it is no number or too large for one: such blocks become zeros, their scale says the rest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Inverse(float largest)
    {
        float inverse = 127f / largest;
        return float.IsFinite(inverse) ? inverse : 0f;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Round(Vector256<float> values) => Vector256.ConvertToInt32(Vector256.Round(values));
}
