using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace InferenceServer.Cpu.Kernels;

/// <summary>Sixteen floats as one 512-bit register.</summary>
internal readonly unsafe struct LanesAvx512(Vector512<float> value) : ILanes<LanesAvx512>
{
    private readonly Vector512<float> _value = value;

    public static LanesAvx512 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => default;
    }

    public static bool IsWide
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx512 Load(float* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(LanesAvx512 lanes, float* destination) => lanes._value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx512 MultiplyAdd(LanesAvx512 weights, float input, LanesAvx512 sum) =>
        new(Avx512F.FusedMultiplyAdd(weights._value, Vector512.Create(input), sum._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadBf16Pair(byte* source, out LanesAvx512 even, out LanesAvx512 odd)
    {
        Vector512<uint> words = Vector512.Load((uint*)source);
        even = new((words << 16).AsSingle());
        odd = new((words & Vector512.Create(0xFFFF0000u)).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadF16Pair(byte* source, out LanesAvx512 even, out LanesAvx512 odd)
    {
        Vector512<int> words = Vector512.Load((int*)source);
        even = new(Widen(words << 16));
        odd = new(Widen(words & Vector512.Create(unchecked((int)0xFFFF0000))));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx512 LoadSigned(sbyte* source) => new(Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load(source))));

    /// <summary>See <see cref="Float16Bits"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Widen(Vector512<int> high)
    {
        Vector512<float> scaled = ((high >> 3) & Vector512.Create(Float16Bits.Mask)).AsSingle() * Vector512.Create(Float16Bits.Rebias);
        Vector512<int> special = Vector512.GreaterThanOrEqual(high & Vector512.Create(int.MaxValue), Vector512.Create(Float16Bits.Infinity));
        return (scaled.AsInt32() | (special & Vector512.Create(Float16Bits.FloatInfinity))).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx512 LoadHalves(ushort* source) => new(Widen(Avx512F.ConvertToVector512Int32(Vector256.Load(source)) << 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx512 LoadBytes(byte* source) => new(Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load(source))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx512 Multiply(LanesAvx512 left, LanesAvx512 right) => new(left._value * right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx512 Multiply(LanesAvx512 left, float right) => new(left._value * Vector512.Create(right));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx512 MultiplyAdd(LanesAvx512 left, LanesAvx512 right, LanesAvx512 sum) =>
        new(Avx512F.FusedMultiplyAdd(left._value, right._value, sum._value));
}
