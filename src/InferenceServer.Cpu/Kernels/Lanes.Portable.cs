using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace InferenceServer.Cpu.Kernels;

/// <summary>Sixteen floats as four 128-bit registers: NEON, SSE, or whatever the runtime makes of them.</summary>
internal readonly unsafe struct LanesPortable(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d) : ILanes<LanesPortable>
{
    private readonly Vector128<float> _a = a;
    private readonly Vector128<float> _b = b;
    private readonly Vector128<float> _c = c;
    private readonly Vector128<float> _d = d;

    public static LanesPortable Zero
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
    public static LanesPortable Load(float* source) =>
        new(Vector128.Load(source), Vector128.Load(source + 4), Vector128.Load(source + 8), Vector128.Load(source + 12));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(LanesPortable lanes, float* destination)
    {
        lanes._a.Store(destination);
        lanes._b.Store(destination + 4);
        lanes._c.Store(destination + 8);
        lanes._d.Store(destination + 12);
    }

    /// <summary>Fused where the machine has it, else multiplied, then added: one machine always does the same.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable MultiplyAdd(LanesPortable weights, float input, LanesPortable sum)
    {
        Vector128<float> broadcast = Vector128.Create(input);
        return new(
            Vector128.MultiplyAddEstimate(weights._a, broadcast, sum._a),
            Vector128.MultiplyAddEstimate(weights._b, broadcast, sum._b),
            Vector128.MultiplyAddEstimate(weights._c, broadcast, sum._c),
            Vector128.MultiplyAddEstimate(weights._d, broadcast, sum._d));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadBf16Pair(byte* source, out LanesPortable even, out LanesPortable odd)
    {
        uint* words = (uint*)source;
        Vector128<uint> a = Vector128.Load(words), b = Vector128.Load(words + 4), c = Vector128.Load(words + 8), d = Vector128.Load(words + 12);
        Vector128<uint> mask = Vector128.Create(0xFFFF0000u);
        even = new((a << 16).AsSingle(), (b << 16).AsSingle(), (c << 16).AsSingle(), (d << 16).AsSingle());
        odd = new((a & mask).AsSingle(), (b & mask).AsSingle(), (c & mask).AsSingle(), (d & mask).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadF16Pair(byte* source, out LanesPortable even, out LanesPortable odd)
    {
        int* words = (int*)source;
        Vector128<int> a = Vector128.Load(words), b = Vector128.Load(words + 4), c = Vector128.Load(words + 8), d = Vector128.Load(words + 12);
        Vector128<int> mask = Vector128.Create(unchecked((int)0xFFFF0000));
        even = new(Widen(a << 16), Widen(b << 16), Widen(c << 16), Widen(d << 16));
        odd = new(Widen(a & mask), Widen(b & mask), Widen(c & mask), Widen(d & mask));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable LoadSigned(sbyte* source)
    {
        (Vector128<short> low, Vector128<short> high) = Vector128.Widen(Vector128.Load(source));
        (Vector128<int> a, Vector128<int> b) = Vector128.Widen(low);
        (Vector128<int> c, Vector128<int> d) = Vector128.Widen(high);
        return new(Vector128.ConvertToSingle(a), Vector128.ConvertToSingle(b), Vector128.ConvertToSingle(c), Vector128.ConvertToSingle(d));
    }

    /// <summary>See <see cref="Float16Bits"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Widen(Vector128<int> high)
    {
        Vector128<float> scaled = ((high >> 3) & Vector128.Create(Float16Bits.Mask)).AsSingle() * Vector128.Create(Float16Bits.Rebias);
        Vector128<int> special = Vector128.GreaterThan(high & Vector128.Create(int.MaxValue), Vector128.Create(Float16Bits.Infinity - 1));
        return (scaled.AsInt32() | (special & Vector128.Create(Float16Bits.FloatInfinity))).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable LoadHalves(ushort* source) => new(Halves(source), Halves(source + 4), Halves(source + 8), Halves(source + 12));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable LoadBytes(byte* source) =>
        new(Floats(source[0], source[1], source[2], source[3]), Floats(source[4], source[5], source[6], source[7]),
            Floats(source[8], source[9], source[10], source[11]), Floats(source[12], source[13], source[14], source[15]));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable Multiply(LanesPortable left, LanesPortable right) =>
        new(left._a * right._a, left._b * right._b, left._c * right._c, left._d * right._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable Multiply(LanesPortable left, float right) => new(left._a * right, left._b * right, left._c * right, left._d * right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable MultiplyAdd(LanesPortable left, LanesPortable right, LanesPortable sum) => new(
        Vector128.MultiplyAddEstimate(left._a, right._a, sum._a),
        Vector128.MultiplyAddEstimate(left._b, right._b, sum._b),
        Vector128.MultiplyAddEstimate(left._c, right._c, sum._c),
        Vector128.MultiplyAddEstimate(left._d, right._d, sum._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Halves(ushort* source) => Widen(Vector128.Create(source[0], source[1], source[2], source[3]) << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Floats(int a, int b, int c, int d) => Vector128.ConvertToSingle(Vector128.Create(a, b, c, d));
}
