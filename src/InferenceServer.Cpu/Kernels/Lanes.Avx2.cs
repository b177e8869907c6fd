using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace InferenceServer.Cpu.Kernels;

/// <summary>Sixteen floats as two 256-bit registers.</summary>
internal readonly unsafe struct LanesAvx2(Vector256<float> low, Vector256<float> high) : ILanes<LanesAvx2>
{
    private readonly Vector256<float> _low = low;
    private readonly Vector256<float> _high = high;

    public static LanesAvx2 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => default;
    }

    public static bool IsWide
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx2 Load(float* source) => new(Vector256.Load(source), Vector256.Load(source + 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(LanesAvx2 lanes, float* destination)
    {
        lanes._low.Store(destination);
        lanes._high.Store(destination + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx2 MultiplyAdd(LanesAvx2 weights, float input, LanesAvx2 sum)
    {
        Vector256<float> broadcast = Vector256.Create(input);
        return new(Fma.MultiplyAdd(weights._low, broadcast, sum._low), Fma.MultiplyAdd(weights._high, broadcast, sum._high));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadBf16Pair(byte* source, out LanesAvx2 even, out LanesAvx2 odd)
    {
        Vector256<uint> low = Vector256.Load((uint*)source), high = Vector256.Load((uint*)source + 8);
        Vector256<uint> mask = Vector256.Create(0xFFFF0000u);
        even = new((low << 16).AsSingle(), (high << 16).AsSingle());
        odd = new((low & mask).AsSingle(), (high & mask).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadF16Pair(byte* source, out LanesAvx2 even, out LanesAvx2 odd)
    {
        Vector256<int> low = Vector256.Load((int*)source), high = Vector256.Load((int*)source + 8);
        Vector256<int> mask = Vector256.Create(unchecked((int)0xFFFF0000));
        even = new(Widen(low << 16), Widen(high << 16));
        odd = new(Widen(low & mask), Widen(high & mask));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx2 LoadSigned(sbyte* source) => new(
        Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(Vector128.CreateScalarUnsafe(*(long*)source).AsSByte())),
        Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(Vector128.CreateScalarUnsafe(*(long*)(source + 8)).AsSByte())));

    /// <summary>See <see cref="Float16Bits"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Widen(Vector256<int> high)
    {
        Vector256<float> scaled = ((high >> 3) & Vector256.Create(Float16Bits.Mask)).AsSingle() * Vector256.Create(Float16Bits.Rebias);
        Vector256<int> special = Vector256.GreaterThan(high & Vector256.Create(int.MaxValue), Vector256.Create(Float16Bits.Infinity - 1));
        return (scaled.AsInt32() | (special & Vector256.Create(Float16Bits.FloatInfinity))).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx2 LoadHalves(ushort* source) =>
        new(Widen(Avx2.ConvertToVector256Int32(Vector128.Load(source)) << 16), Widen(Avx2.ConvertToVector256Int32(Vector128.Load(source + 8)) << 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx2 LoadBytes(byte* source) => new(
        Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(source)), Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(source + 8)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx2 Multiply(LanesAvx2 left, LanesAvx2 right) => new(left._low * right._low, left._high * right._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx2 Multiply(LanesAvx2 left, float right) => new(left._low * Vector256.Create(right), left._high * Vector256.Create(right));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesAvx2 MultiplyAdd(LanesAvx2 left, LanesAvx2 right, LanesAvx2 sum) =>
        new(Fma.MultiplyAdd(left._low, right._low, sum._low), Fma.MultiplyAdd(left._high, right._high, sum._high));
}
