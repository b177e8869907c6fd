using System.Numerics;
using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>cvt. Registers may be wider than the types: the value is taken from the low bits and stored with its sign.</summary>
internal static unsafe class ConvertInstructions
{
    public static void Define(InstructionTable t)
    {
        FromInteger<byte>(t, "u8");
        FromInteger<sbyte>(t, "s8");
        FromInteger<ushort>(t, "u16");
        FromInteger<short>(t, "s16");
        FromInteger<uint>(t, "u32");
        FromInteger<int>(t, "s32");
        FromInteger<ulong>(t, "u64");
        FromInteger<long>(t, "s64");
        Between(t);
        RoundToIntegral<Nearest>(t, "rni");
        RoundToIntegral<TowardsZero>(t, "rzi");
        RoundToIntegral<Down>(t, "rmi");
        RoundToIntegral<Up>(t, "rpi");
    }

    private static void FromInteger<TIn>(InstructionTable t, string from) where TIn : unmanaged, IBinaryInteger<TIn>
    {
        t.Add($"cvt.u8.{from}", "=~D,~T", &Integer<TIn, byte>);
        t.Add($"cvt.s8.{from}", "=~D,~T", &Integer<TIn, sbyte>);
        t.Add($"cvt.u16.{from}", "=~D,~T", &Integer<TIn, ushort>);
        t.Add($"cvt.s16.{from}", "=~D,~T", &Integer<TIn, short>);
        t.Add($"cvt.u32.{from}", "=~D,~T", &Integer<TIn, uint>);
        t.Add($"cvt.s32.{from}", "=~D,~T", &Integer<TIn, int>);
        t.Add($"cvt.u64.{from}", "=~D,~T", &Integer<TIn, ulong>);
        t.Add($"cvt.s64.{from}", "=~D,~T", &Integer<TIn, long>);
        t.Add($"cvt.sat.u8.{from}", "=~D,~T", &SaturatedInteger<TIn, byte>);
        t.Add($"cvt.sat.s8.{from}", "=~D,~T", &SaturatedInteger<TIn, sbyte>);
        t.Add($"cvt.sat.u16.{from}", "=~D,~T", &SaturatedInteger<TIn, ushort>);
        t.Add($"cvt.sat.s16.{from}", "=~D,~T", &SaturatedInteger<TIn, short>);
        t.Add($"cvt.sat.u32.{from}", "=~D,~T", &SaturatedInteger<TIn, uint>);
        t.Add($"cvt.sat.s32.{from}", "=~D,~T", &SaturatedInteger<TIn, int>);
        t.Add($"cvt.rn.f16.{from}", "=D,~T", &ToFloat<TIn, ToHalf>);
        t.Add($"cvt.rn.f32.{from}", "=D,~T", &ToFloat<TIn, ToSingle>);
        t.Add($"cvt.rz.f32.{from}", "=D,~T", &ToFloat<TIn, ToSingleTowardsZero>);
        t.Add($"cvt.rn.f64.{from}", "=D,~T", &ToFloat<TIn, ToDouble>);
    }

    private static void Between(InstructionTable t)
    {
        t.Add("cvt{,.ftz}.f32.f16", "=D,T", &Lanes.Unary<uint, float, WidenHalf<F16>>);
        t.Add("cvt.f32.bf16", "=D,T", &Lanes.Unary<uint, float, WidenHalf<BF16>>);
        t.Add("cvt.rn{,.ftz}.f16.f32", "=D,T", &Lanes.Unary<float, uint, RoundHalf<F16>>);
        t.Add("cvt.rn.bf16.f32", "=D,T", &Lanes.Unary<float, uint, RoundHalf<BF16>>);
        t.Add("cvt.rn.f16x2.f32", "=b32,T,T", &Pack<F16>);
        t.Add("cvt.rn.bf16x2.f32", "=b32,T,T", &Pack<BF16>);
        t.Add("cvt{,.ftz}.f64.f32", "=D,T", &Lanes.Unary<float, double, WidenSingle>);
        t.Add("cvt.rn{,.ftz}.f32.f64", "=D,T", &Lanes.Unary<double, float, NarrowDouble>);
        t.Add("cvt{,.ftz}.sat.f32.f32", "=D,T", &Lanes.Unary<float, float, Saturated>);
        t.Add("cvt.f32.f32", "=D,T", &Lanes.Unary<uint, uint, Same<uint>>);
        t.Add("cvt.ftz.f32.f32", "=D,T", &Lanes.Unary<float, float, Flushed1<Same<float>>>);
    }

    private static void RoundToIntegral<TRounding>(InstructionTable t, string mode) where TRounding : struct, IUnary<double, double>
    {
        t.Add($"cvt.{mode}{{,.ftz}}{{,.sat}}.u8.{{f16,f32,f64}}", "=~D,T", &ToInteger<byte, TRounding>);
        t.Add($"cvt.{mode}{{,.ftz}}{{,.sat}}.s8.{{f16,f32,f64}}", "=~D,T", &ToInteger<sbyte, TRounding>);
        t.Add($"cvt.{mode}{{,.ftz}}{{,.sat}}.u16.{{f16,f32,f64}}", "=~D,T", &ToInteger<ushort, TRounding>);
        t.Add($"cvt.{mode}{{,.ftz}}{{,.sat}}.s16.{{f16,f32,f64}}", "=~D,T", &ToInteger<short, TRounding>);
        t.Add($"cvt.{mode}{{,.ftz}}{{,.sat}}.u32.{{f16,f32,f64}}", "=~D,T", &ToInteger<uint, TRounding>);
        t.Add($"cvt.{mode}{{,.ftz}}{{,.sat}}.s32.{{f16,f32,f64}}", "=~D,T", &ToInteger<int, TRounding>);
        t.Add($"cvt.{mode}{{,.ftz}}{{,.sat}}.u64.{{f16,f32,f64}}", "=~D,T", &ToInteger<ulong, TRounding>);
        t.Add($"cvt.{mode}{{,.ftz}}{{,.sat}}.s64.{{f16,f32,f64}}", "=~D,T", &ToInteger<long, TRounding>);
        t.Add($"cvt.{mode}{{,.ftz}}.f32.f32", "=D,T", &Lanes.Unary<float, float, Integral<TRounding>>);
        t.Add($"cvt.{mode}.f64.f64", "=D,T", &Lanes.Unary<double, double, TRounding>);
    }

    private static void Integer<TIn, TOut>(Warp warp, Instruction* i, uint mask)
        where TIn : unmanaged, IBinaryInteger<TIn> where TOut : unmanaged, IBinaryInteger<TOut>
    {
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            TIn value = TIn.CreateTruncating(warp.Get(i, 1, lane));
            warp.Set(i, 0, lane, ulong.CreateTruncating(TOut.CreateTruncating(value)));
        }
    }

    private static void SaturatedInteger<TIn, TOut>(Warp warp, Instruction* i, uint mask)
        where TIn : unmanaged, IBinaryInteger<TIn> where TOut : unmanaged, IBinaryInteger<TOut>
    {
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            TIn value = TIn.CreateTruncating(warp.Get(i, 1, lane));
            warp.Set(i, 0, lane, ulong.CreateTruncating(TOut.CreateSaturating(value)));
        }
    }

    private static void ToFloat<TIn, TOut>(Warp warp, Instruction* i, uint mask) where TIn : unmanaged, IBinaryInteger<TIn> where TOut : struct, IFromInteger
    {
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            warp.Set(i, 0, lane, TOut.Bits(TIn.CreateTruncating(warp.Get(i, 1, lane))));
        }
    }

    /// <summary>Out of range: the nearest integer there is; NaN: zero, or the lowest 64-bit number.</summary>
    private static void ToInteger<TOut, TRounding>(Warp warp, Instruction* i, uint mask)
        where TOut : unmanaged, IBinaryInteger<TOut> where TRounding : struct, IUnary<double, double>
    {
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            double value = i->IsWide(1) ? ((double*)warp.U64(i->R[1]))[lane] : i->IsNarrow(1) ? F16.Widen(warp.U32(i->R[1])[lane]) : warp.F32(i->R[1])[lane];
            ulong bits = double.IsNaN(value) ? (sizeof(TOut) == 8 ? 1ul << 63 : 0) : ulong.CreateTruncating(TOut.CreateSaturating(TRounding.Of(value)));
            warp.Set(i, 0, lane, bits);
        }
    }

    /// <summary>The first source becomes the upper half.</summary>
    private static void Pack<TFormat>(Warp warp, Instruction* i, uint mask) where TFormat : struct, IHalfFormat
    {
        uint* d = warp.U32(i->R[0]);
        float* high = warp.F32(i->R[1]);
        float* low = warp.F32(i->R[2]);
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            d[lane] = TFormat.Round(high[lane]) << 16 | TFormat.Round(low[lane]);
        }
    }
}

/// <summary>The bits of an integer as a float.</summary>
internal interface IFromInteger
{
    static abstract ulong Bits<T>(T value) where T : unmanaged, IBinaryInteger<T>;
}

internal readonly struct ToHalf : IFromInteger
{
    public static ulong Bits<T>(T value) where T : unmanaged, IBinaryInteger<T> => BitConverter.HalfToUInt16Bits(Half.CreateTruncating(value));
}

internal readonly struct ToSingle : IFromInteger
{
    public static ulong Bits<T>(T value) where T : unmanaged, IBinaryInteger<T> => BitConverter.SingleToUInt32Bits(float.CreateTruncating(value));
}

internal readonly struct ToSingleTowardsZero : IFromInteger
{
    public static ulong Bits<T>(T value) where T : unmanaged, IBinaryInteger<T>
    {
        float nearest = float.CreateTruncating(value);
        bool above = T.IsNegative(value) ? Int128.CreateTruncating(nearest) < Int128.CreateTruncating(value) : Int128.CreateTruncating(nearest) > Int128.CreateTruncating(value);
        return BitConverter.SingleToUInt32Bits(nearest) - (above ? 1u : 0);
    }
}

internal readonly struct ToDouble : IFromInteger
{
    public static ulong Bits<T>(T value) where T : unmanaged, IBinaryInteger<T> => BitConverter.DoubleToUInt64Bits(double.CreateTruncating(value));
}

internal readonly struct Nearest : IUnary<double, double>
{
    public static double Of(double a) => Math.Round(a, MidpointRounding.ToEven);
}

internal readonly struct TowardsZero : IUnary<double, double>
{
    public static double Of(double a) => Math.Truncate(a);
}

internal readonly struct Down : IUnary<double, double>
{
    public static double Of(double a) => Math.Floor(a);
}

internal readonly struct Up : IUnary<double, double>
{
    public static double Of(double a) => Math.Ceiling(a);
}

internal readonly struct Integral<TRounding> : IUnary<float, float> where TRounding : struct, IUnary<double, double>
{
    public static float Of(float a) => (float)TRounding.Of(a);
}

internal readonly struct WidenHalf<TFormat> : IUnary<uint, float> where TFormat : struct, IHalfFormat
{
    public static float Of(uint a) => TFormat.WidenToSingle(a);
}

internal readonly struct RoundHalf<TFormat> : IUnary<float, uint> where TFormat : struct, IHalfFormat
{
    public static uint Of(float a) => TFormat.Round(a);
}

internal readonly struct WidenSingle : IUnary<float, double>
{
    public static double Of(float a) => a;
}

internal readonly struct NarrowDouble : IUnary<double, float>
{
    public static float Of(double a) => (float)a;
}

internal readonly struct Same<T> : IUnary<T, T>
{
    public static T Of(T a) => a;
}
