using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace InferenceServer.Cpu.Kernels.Quantized;

/// <summary>Two 256-bit registers.</summary>
internal readonly unsafe struct BytesAvx2(Vector256<int> low, Vector256<int> high) : IByteLanes<BytesAvx2, LanesAvx2>
{
    private readonly Vector256<int> _low = low;
    private readonly Vector256<int> _high = high;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx2 Fill(int value) => new(Vector256.Create(value), Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx2 Load(byte* source) => new(Vector256.Load((int*)source), Vector256.Load((int*)(source + 32)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx2 And(BytesAvx2 left, BytesAvx2 right) => new(left._low & right._low, left._high & right._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx2 Or(BytesAvx2 left, BytesAvx2 right) => new(left._low | right._low, left._high | right._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx2 ShiftRight(BytesAvx2 value, int bits) => new(value._low >>> bits, value._high >>> bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx2 ShiftLeft(BytesAvx2 value, int bits) => new(value._low << bits, value._high << bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx2 DotSmall(BytesAvx2 sum, BytesAvx2 weights, int input)
    {
        Vector256<sbyte> a = Vector256.Create(input).AsSByte();
        return new(sum._low + Pairs(weights._low.AsByte(), a), sum._high + Pairs(weights._high.AsByte(), a));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx2 DotBiased(BytesAvx2 sum, BytesAvx2 weights, int input)
    {
        Vector256<sbyte> a = Vector256.Create(input).AsSByte();
        Vector256<sbyte> low = Signed(weights._low), high = Signed(weights._high);
        return new(sum._low + Pairs(Avx2.Abs(low), Avx2.Sign(a, low)), sum._high + Pairs(Avx2.Abs(high), Avx2.Sign(a, high)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx2 AddScaled(BytesAvx2 sum, LanesAvx2 scale, LanesAvx2 result) =>
        LanesAvx2.MultiplyAdd(new LanesAvx2(Vector256.ConvertToSingle(sum._low), Vector256.ConvertToSingle(sum._high)), scale, result);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<sbyte> Signed(Vector256<int> biased) => (biased ^ Vector256.Create(unchecked((int)0x80808080))).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Pairs(Vector256<byte> weights, Vector256<sbyte> input) =>
        Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(weights, input), Vector256<short>.One);
}
