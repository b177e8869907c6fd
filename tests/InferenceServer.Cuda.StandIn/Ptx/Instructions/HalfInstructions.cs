namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>Arithmetic on f16 and bf16, alone and in pairs: computed wide and rounded once.</summary>
internal static unsafe class HalfInstructions
{
    public static void Define(InstructionTable t)
    {
        t.Add("add{,.rn}{,.ftz}.f16", "=T,T,T", &Lanes.Binary<uint, One2<F16, Add<double>>>);
        t.Add("add{,.rn}{,.ftz}.f16x2", "=T,T,T", &Lanes.Binary<uint, Pair2<F16, Add<double>>>);
        t.Add("add{,.rn}.bf16", "=T,T,T", &Lanes.Binary<uint, One2<BF16, Add<double>>>);
        t.Add("add{,.rn}.bf16x2", "=T,T,T", &Lanes.Binary<uint, Pair2<BF16, Add<double>>>);
        t.Add("sub{,.rn}{,.ftz}.f16", "=T,T,T", &Lanes.Binary<uint, One2<F16, Sub<double>>>);
        t.Add("sub{,.rn}{,.ftz}.f16x2", "=T,T,T", &Lanes.Binary<uint, Pair2<F16, Sub<double>>>);
        t.Add("sub{,.rn}.bf16", "=T,T,T", &Lanes.Binary<uint, One2<BF16, Sub<double>>>);
        t.Add("sub{,.rn}.bf16x2", "=T,T,T", &Lanes.Binary<uint, Pair2<BF16, Sub<double>>>);
        t.Add("mul{,.rn}{,.ftz}.f16", "=T,T,T", &Lanes.Binary<uint, One2<F16, Mul<double>>>);
        t.Add("mul{,.rn}{,.ftz}.f16x2", "=T,T,T", &Lanes.Binary<uint, Pair2<F16, Mul<double>>>);
        t.Add("mul{,.rn}.bf16", "=T,T,T", &Lanes.Binary<uint, One2<BF16, Mul<double>>>);
        t.Add("mul{,.rn}.bf16x2", "=T,T,T", &Lanes.Binary<uint, Pair2<BF16, Mul<double>>>);
        t.Add("fma.rn{,.ftz}.f16", "=T,T,T,T", &Lanes.Ternary<uint, One3<F16, FusedMultiplyAddDouble>>);
        t.Add("fma.rn{,.ftz}.f16x2", "=T,T,T,T", &Lanes.Ternary<uint, Pair3<F16, FusedMultiplyAddDouble>>);
        t.Add("fma.rn.bf16", "=T,T,T,T", &Lanes.Ternary<uint, One3<BF16, FusedMultiplyAddDouble>>);
        t.Add("fma.rn.bf16x2", "=T,T,T,T", &Lanes.Ternary<uint, Pair3<BF16, FusedMultiplyAddDouble>>);
        t.Add("min{,.ftz}.f16", "=T,T,T", &Lanes.Binary<uint, One2<F16, MinNumber<double>>>);
        t.Add("min{,.ftz}.f16x2", "=T,T,T", &Lanes.Binary<uint, Pair2<F16, MinNumber<double>>>);
        t.Add("min.bf16", "=T,T,T", &Lanes.Binary<uint, One2<BF16, MinNumber<double>>>);
        t.Add("min.bf16x2", "=T,T,T", &Lanes.Binary<uint, Pair2<BF16, MinNumber<double>>>);
        t.Add("max{,.ftz}.f16", "=T,T,T", &Lanes.Binary<uint, One2<F16, MaxNumber<double>>>);
        t.Add("max{,.ftz}.f16x2", "=T,T,T", &Lanes.Binary<uint, Pair2<F16, MaxNumber<double>>>);
        t.Add("max.bf16", "=T,T,T", &Lanes.Binary<uint, One2<BF16, MaxNumber<double>>>);
        t.Add("max.bf16x2", "=T,T,T", &Lanes.Binary<uint, Pair2<BF16, MaxNumber<double>>>);
        t.Add("neg{,.ftz}.f16", "=T,T", &Lanes.Unary<uint, uint, NegateHalf>);
        t.Add("neg.bf16", "=T,T", &Lanes.Unary<uint, uint, NegateHalf>);
        t.Add("neg{,.ftz}.f16x2", "=T,T", &Lanes.Unary<uint, uint, NegateHalves>);
        t.Add("neg.bf16x2", "=T,T", &Lanes.Unary<uint, uint, NegateHalves>);
        t.Add("abs{,.ftz}.f16", "=T,T", &Lanes.Unary<uint, uint, AbsoluteHalf>);
        t.Add("abs.bf16", "=T,T", &Lanes.Unary<uint, uint, AbsoluteHalf>);
        t.Add("abs{,.ftz}.f16x2", "=T,T", &Lanes.Unary<uint, uint, AbsoluteHalves>);
        t.Add("abs.bf16x2", "=T,T", &Lanes.Unary<uint, uint, AbsoluteHalves>);
    }
}

/// <summary>A 16-bit floating-point format.</summary>
internal interface IHalfFormat
{
    static abstract double Widen(uint bits);
    static abstract float WidenToSingle(uint bits);
    /// <summary>Rounds to nearest, ties to even.</summary>
    static abstract uint Round(double value);
    static abstract uint Round(float value);
}

internal readonly struct F16 : IHalfFormat
{
    public static double Widen(uint bits) => (double)BitConverter.UInt16BitsToHalf((ushort)bits);
    public static float WidenToSingle(uint bits) => (float)BitConverter.UInt16BitsToHalf((ushort)bits);
    public static uint Round(double value) => double.IsNaN(value) ? 0x7fffu : BitConverter.HalfToUInt16Bits((Half)value);
    public static uint Round(float value) => float.IsNaN(value) ? 0x7fffu : BitConverter.HalfToUInt16Bits((Half)value);
}

internal readonly struct BF16 : IHalfFormat
{
    public static double Widen(uint bits) => WidenToSingle(bits);
    public static float WidenToSingle(uint bits) => BitConverter.UInt32BitsToSingle(bits << 16);

    /// <summary>Rounding to f32 on the way must not decide a tie: what was lost there is kept as a sticky bit.</summary>
    public static uint Round(double value)
    {
        float single = (float)value;
        uint bits = BitConverter.SingleToUInt32Bits(single);
        if (!float.IsFinite(single) || single == value || (bits & 1) != 0) return Round(single);
        bool above = Math.Abs((double)single) > Math.Abs(value);
        return Round(BitConverter.UInt32BitsToSingle(above ? bits - 1 : bits | 1));
    }

    public static uint Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? 0x7fffu : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    }
}

internal readonly struct One2<TFormat, TOp> : IBinary<uint> where TFormat : struct, IHalfFormat where TOp : struct, IBinary<double>
{
    public static uint Of(uint a, uint b) => TFormat.Round(TOp.Of(TFormat.Widen(a), TFormat.Widen(b)));
}

internal readonly struct Pair2<TFormat, TOp> : IBinary<uint> where TFormat : struct, IHalfFormat where TOp : struct, IBinary<double>
{
    public static uint Of(uint a, uint b) => One2<TFormat, TOp>.Of(a & 0xffff, b & 0xffff) | One2<TFormat, TOp>.Of(a >> 16, b >> 16) << 16;
}

internal readonly struct One3<TFormat, TOp> : ITernary<uint> where TFormat : struct, IHalfFormat where TOp : struct, ITernary<double>
{
    public static uint Of(uint a, uint b, uint c) => TFormat.Round(TOp.Of(TFormat.Widen(a), TFormat.Widen(b), TFormat.Widen(c)));
}

internal readonly struct Pair3<TFormat, TOp> : ITernary<uint> where TFormat : struct, IHalfFormat where TOp : struct, ITernary<double>
{
    public static uint Of(uint a, uint b, uint c) =>
        One3<TFormat, TOp>.Of(a & 0xffff, b & 0xffff, c & 0xffff) | One3<TFormat, TOp>.Of(a >> 16, b >> 16, c >> 16) << 16;
}

internal readonly struct NegateHalf : IUnary<uint, uint>
{
    public static uint Of(uint a) => a ^ 0x8000;
}

internal readonly struct NegateHalves : IUnary<uint, uint>
{
    public static uint Of(uint a) => a ^ 0x8000_8000;
}

internal readonly struct AbsoluteHalf : IUnary<uint, uint>
{
    public static uint Of(uint a) => a & 0x7fff;
}

internal readonly struct AbsoluteHalves : IUnary<uint, uint>
{
    public static uint Of(uint a) => a & 0x7fff_7fff;
}
