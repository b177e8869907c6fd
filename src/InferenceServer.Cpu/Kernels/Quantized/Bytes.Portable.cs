using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace InferenceServer.Cpu.Kernels.Quantized;

/// <summary>Four 128-bit registers. Products of bytes are taken in 16 bits, where they fit: at most 255 * 127.</summary>
internal readonly unsafe struct BytesPortable(Vector128<int> a, Vector128<int> b, Vector128<int> c, Vector128<int> d) : IByteLanes<BytesPortable, LanesPortable>
{
    private readonly Vector128<int> _a = a;
    private readonly Vector128<int> _b = b;
    private readonly Vector128<int> _c = c;
    private readonly Vector128<int> _d = d;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesPortable Fill(int value)
    {
        Vector128<int> all = Vector128.Create(value);
        return new(all, all, all, all);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesPortable Load(byte* source)
    {
        int* words = (int*)source;
        return new(Vector128.Load(words), Vector128.Load(words + 4), Vector128.Load(words + 8), Vector128.Load(words + 12));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesPortable And(BytesPortable left, BytesPortable right) =>
        new(left._a & right._a, left._b & right._b, left._c & right._c, left._d & right._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesPortable Or(BytesPortable left, BytesPortable right) =>
        new(left._a | right._a, left._b | right._b, left._c | right._c, left._d | right._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesPortable ShiftRight(BytesPortable value, int bits) =>
        new(value._a >>> bits, value._b >>> bits, value._c >>> bits, value._d >>> bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesPortable ShiftLeft(BytesPortable value, int bits) =>
        new(value._a << bits, value._b << bits, value._c << bits, value._d << bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesPortable DotSmall(BytesPortable sum, BytesPortable weights, int input)
    {
        (Vector128<short> even, Vector128<short> odd) = Split(input);
        return new(
            Small(sum._a, weights._a, even, odd), Small(sum._b, weights._b, even, odd), Small(sum._c, weights._c, even, odd), Small(sum._d, weights._d, even, odd));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesPortable DotBiased(BytesPortable sum, BytesPortable weights, int input)
    {
        (Vector128<short> even, Vector128<short> odd) = Split(input);
        return new(
            Biased(sum._a, weights._a, even, odd), Biased(sum._b, weights._b, even, odd), Biased(sum._c, weights._c, even, odd), Biased(sum._d, weights._d, even, odd));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable AddScaled(BytesPortable sum, LanesPortable scale, LanesPortable result) => LanesPortable.MultiplyAdd(
        new LanesPortable(Vector128.ConvertToSingle(sum._a), Vector128.ConvertToSingle(sum._b), Vector128.ConvertToSingle(sum._c), Vector128.ConvertToSingle(sum._d)),
        scale,
        result);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Small(Vector128<int> sum, Vector128<int> weights, Vector128<short> even, Vector128<short> odd)
    {
        Vector128<short> low = weights.AsInt16() & Vector128.Create((short)0xFF), high = weights.AsInt16() >>> 8;
        return sum + Halves(low * even) + Halves(high * odd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Biased(Vector128<int> sum, Vector128<int> weights, Vector128<short> even, Vector128<short> odd)
    {
        Vector128<short> signed = (weights ^ Vector128.Create(unchecked((int)0x80808080))).AsInt16();
        return sum + Halves((signed << 8 >> 8) * even) + Halves((signed >> 8) * odd);
    }

    /// <summary>Bytes 0 and 2, then bytes 1 and 3, as 16-bit pairs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<short> Even, Vector128<short> Odd) Split(int input)
    {
        Vector128<short> both = Vector128.Create(input).AsInt16();
        return (both << 8 >> 8, both >> 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Halves(Vector128<short> pairs) => (pairs.AsInt32() << 16 >> 16) + (pairs.AsInt32() >> 16);
}
