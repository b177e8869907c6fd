using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace InferenceServer.Cpu.Kernels.Quantized;

/// <summary>One 512-bit register.</summary>
internal readonly unsafe struct BytesAvx512(Vector512<int> value) : IByteLanes<BytesAvx512, LanesAvx512>
{
    private readonly Vector512<int> _value = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx512 Fill(int value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx512 Load(byte* source) => new(Vector512.Load((int*)source));

    /// <summary>Each byte less that of <paramref name="offset"/>, modulo 256: unsigned weights become signed ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreLess(BytesAvx512 value, BytesAvx512 offset, byte* destination) =>
        (value._value.AsByte() - offset._value.AsByte()).Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx512 And(BytesAvx512 left, BytesAvx512 right) => new(left._value & right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx512 Or(BytesAvx512 left, BytesAvx512 right) => new(left._value | right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx512 ShiftRight(BytesAvx512 value, int bits) => new(value._value >>> bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx512 ShiftLeft(BytesAvx512 value, int bits) => new(value._value << bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx512 DotSmall(BytesAvx512 sum, BytesAvx512 weights, int input) =>
        new(sum._value + Pairs(weights._value.AsByte(), Vector512.Create(input).AsSByte()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytesAvx512 DotBiased(BytesAvx512 sum, BytesAvx512 weights, int input)
    {
        // |w| * sign(a, w): the sign instruction does not exist in 512 bits.
        Vector512<sbyte> signed = (weights._value ^ Vector512.Create(unchecked((int)0x80808080))).AsSByte(), a = Vector512.Create(input).AsSByte();
        Vector512<sbyte> turned = Vector512.ConditionalSelect(Vector512.LessThan(signed, Vector512<sbyte>.Zero), -a, a);
        return new(sum._value + Pairs(Avx512BW.Abs(signed), turned));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx512 AddScaled(BytesAvx512 sum, LanesAvx512 scale, LanesAvx512 result) =>
        LanesAvx512.MultiplyAdd(new LanesAvx512(Vector512.ConvertToSingle(sum._value)), scale, result);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Pairs(Vector512<byte> weights, Vector512<sbyte> input) =>
        Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(weights, input), Vector512<short>.One);
}
