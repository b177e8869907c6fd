using System.Numerics;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>f32 and f64 arithmetic: IEEE, fused where PTX fuses. The approximate functions are the correctly computed ones.</summary>
internal static unsafe class FloatInstructions
{
    public static void Define(InstructionTable t)
    {
        t.Add("add{,.rn}.f32", "=T,T,T", &Lanes.Binary<float, Add<float>>);
        t.Add("add{,.rn}.ftz.f32", "=T,T,T", &Lanes.Binary<float, Flushed2<Add<float>>>);
        t.Add("add{,.rn}{,.ftz}.sat.f32", "=T,T,T", &Lanes.Binary<float, Saturated2<Add<float>>>);
        t.Add("sub{,.rn}.f32", "=T,T,T", &Lanes.Binary<float, Sub<float>>);
        t.Add("sub{,.rn}.ftz.f32", "=T,T,T", &Lanes.Binary<float, Flushed2<Sub<float>>>);
        t.Add("mul{,.rn}.f32", "=T,T,T", &Lanes.Binary<float, Mul<float>>);
        t.Add("mul{,.rn}.ftz.f32", "=T,T,T", &Lanes.Binary<float, Flushed2<Mul<float>>>);
        t.Add("mul{,.rn}{,.ftz}.sat.f32", "=T,T,T", &Lanes.Binary<float, Saturated2<Mul<float>>>);
        t.Add("{fma,mad}.rn.f32", "=T,T,T,T", &Lanes.Ternary<float, FusedMultiplyAdd>);
        t.Add("{fma,mad}.rn.ftz.f32", "=T,T,T,T", &Lanes.Ternary<float, Flushed3<FusedMultiplyAdd>>);
        t.Add("{fma,mad}.rn{,.ftz}.sat.f32", "=T,T,T,T", &Lanes.Ternary<float, Saturated3<FusedMultiplyAdd>>);
        t.Add("div.{rn,approx,full}.f32", "=T,T,T", &Lanes.Binary<float, Divide<float>>);
        t.Add("div.{rn,approx,full}.ftz.f32", "=T,T,T", &Lanes.Binary<float, Flushed2<Divide<float>>>);
        t.Add("min.f32", "=T,T,T", &Lanes.Binary<float, MinNumber<float>>);
        t.Add("min.ftz.f32", "=T,T,T", &Lanes.Binary<float, Flushed2<MinNumber<float>>>);
        t.Add("min{,.ftz}.NaN.f32", "=T,T,T", &Lanes.Binary<float, MinNaN>);
        t.Add("max.f32", "=T,T,T", &Lanes.Binary<float, MaxNumber<float>>);
        t.Add("max.ftz.f32", "=T,T,T", &Lanes.Binary<float, Flushed2<MaxNumber<float>>>);
        t.Add("max{,.ftz}.NaN.f32", "=T,T,T", &Lanes.Binary<float, MaxNaN>);
        t.Add("neg.f32", "=T,T", &Lanes.Unary<uint, uint, NegateFloat>);
        t.Add("neg.ftz.f32", "=T,T", &Lanes.Unary<float, float, Flushed1<NegateFloat>>);
        t.Add("abs.f32", "=T,T", &Lanes.Unary<uint, uint, AbsoluteFloat>);
        t.Add("abs.ftz.f32", "=T,T", &Lanes.Unary<float, float, Flushed1<AbsoluteFloat>>);
        t.Add("copysign.f32", "=T,T,T", &Lanes.Binary<float, CopySign>);
        Functions(t);
        Doubles(t);
    }

    private static void Functions(InstructionTable t)
    {
        t.Add("rcp.{approx,rn}.f32", "=T,T", &Lanes.Unary<float, float, Reciprocal>);
        t.Add("rcp.{approx,rn}.ftz.f32", "=T,T", &Lanes.Unary<float, float, Flushed1<Reciprocal>>);
        t.Add("sqrt.{approx,rn}.f32", "=T,T", &Lanes.Unary<float, float, SquareRoot>);
        t.Add("sqrt.{approx,rn}.ftz.f32", "=T,T", &Lanes.Unary<float, float, Flushed1<SquareRoot>>);
        t.Add("rsqrt.approx.f32", "=T,T", &Lanes.Unary<float, float, ReciprocalSquareRoot>);
        t.Add("rsqrt.approx.ftz.f32", "=T,T", &Lanes.Unary<float, float, Flushed1<ReciprocalSquareRoot>>);
        t.Add("ex2.approx.f32", "=T,T", &Lanes.Unary<float, float, Exponential2>);
        t.Add("ex2.approx.ftz.f32", "=T,T", &Lanes.Unary<float, float, Flushed1<Exponential2>>);
        t.Add("lg2.approx.f32", "=T,T", &Lanes.Unary<float, float, Logarithm2>);
        t.Add("lg2.approx.ftz.f32", "=T,T", &Lanes.Unary<float, float, Flushed1<Logarithm2>>);
        t.Add("sin.approx{,.ftz}.f32", "=T,T", &Lanes.Unary<float, float, Sine>);
        t.Add("cos.approx{,.ftz}.f32", "=T,T", &Lanes.Unary<float, float, Cosine>);
        t.Add("tanh.approx.f32", "=T,T", &Lanes.Unary<float, float, HyperbolicTangent>);
    }

    private static void Doubles(InstructionTable t)
    {
        t.Add("add{,.rn}.f64", "=T,T,T", &Lanes.Binary<double, Add<double>>);
        t.Add("sub{,.rn}.f64", "=T,T,T", &Lanes.Binary<double, Sub<double>>);
        t.Add("mul{,.rn}.f64", "=T,T,T", &Lanes.Binary<double, Mul<double>>);
        t.Add("{fma,mad}.rn.f64", "=T,T,T,T", &Lanes.Ternary<double, FusedMultiplyAddDouble>);
        t.Add("div.rn.f64", "=T,T,T", &Lanes.Binary<double, Divide<double>>);
        t.Add("min.f64", "=T,T,T", &Lanes.Binary<double, MinNumber<double>>);
        t.Add("max.f64", "=T,T,T", &Lanes.Binary<double, MaxNumber<double>>);
        t.Add("neg.f64", "=T,T", &Lanes.Unary<double, double, NegateDouble>);
        t.Add("abs.f64", "=T,T", &Lanes.Unary<double, double, AbsoluteDouble>);
        t.Add("rcp.rn.f64", "=T,T", &Lanes.Unary<double, double, ReciprocalDouble>);
        t.Add("sqrt.rn.f64", "=T,T", &Lanes.Unary<double, double, SquareRootDouble>);
    }
}

/// <summary>.ftz: subnormal numbers become zero of the same sign.</summary>
internal static class Subnormals
{
    public static float Flush(float value) => float.IsSubnormal(value) ? MathF.CopySign(0, value) : value;
}

internal readonly struct Flushed1<TOp> : IUnary<float, float> where TOp : struct, IUnary<float, float>
{
    public static float Of(float a) => Subnormals.Flush(TOp.Of(Subnormals.Flush(a)));
}

internal readonly struct Flushed2<TOp> : IBinary<float> where TOp : struct, IBinary<float>
{
    public static float Of(float a, float b) => Subnormals.Flush(TOp.Of(Subnormals.Flush(a), Subnormals.Flush(b)));
}

internal readonly struct Flushed3<TOp> : ITernary<float> where TOp : struct, ITernary<float>
{
    public static float Of(float a, float b, float c) => Subnormals.Flush(TOp.Of(Subnormals.Flush(a), Subnormals.Flush(b), Subnormals.Flush(c)));
}

/// <summary>.sat: clamped to [0, 1], NaN becomes 0.</summary>
internal readonly struct Saturated2<TOp> : IBinary<float> where TOp : struct, IBinary<float>
{
    public static float Of(float a, float b) => Saturated.Clamp(TOp.Of(a, b));
}

internal readonly struct Saturated3<TOp> : ITernary<float> where TOp : struct, ITernary<float>
{
    public static float Of(float a, float b, float c) => Saturated.Clamp(TOp.Of(a, b, c));
}

internal readonly struct Saturated : IUnary<float, float>
{
    public static float Of(float a) => Clamp(a);
    public static float Clamp(float value) => value > 0 ? MathF.Min(value, 1) : 0;
}

internal readonly struct FusedMultiplyAdd : ITernary<float>
{
    public static bool HasVector => true;
    public static float Of(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);
    public static Vector<float> Of(Vector<float> a, Vector<float> b, Vector<float> c) => Vector.FusedMultiplyAdd(a, b, c);
}

internal readonly struct FusedMultiplyAddDouble : ITernary<double>
{
    public static double Of(double a, double b, double c) => Math.FusedMultiplyAdd(a, b, c);
}

internal readonly struct Divide<T> : IBinary<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public static bool HasVector => true;
    public static T Of(T a, T b) => a / b;
    public static Vector<T> Of(Vector<T> a, Vector<T> b) => a / b;
}

/// <summary>The smaller number; of a number and a NaN the number.</summary>
internal readonly struct MinNumber<T> : IBinary<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public static bool HasVector => true;
    public static T Of(T a, T b) => T.MinNumber(a, b);
    public static Vector<T> Of(Vector<T> a, Vector<T> b) => Vector.MinNumber(a, b);
}

internal readonly struct MaxNumber<T> : IBinary<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public static bool HasVector => true;
    public static T Of(T a, T b) => T.MaxNumber(a, b);
    public static Vector<T> Of(Vector<T> a, Vector<T> b) => Vector.MaxNumber(a, b);
}

internal readonly struct MinNaN : IBinary<float>
{
    public static float Of(float a, float b) => MathF.Min(a, b);
}

internal readonly struct MaxNaN : IBinary<float>
{
    public static float Of(float a, float b) => MathF.Max(a, b);
}

internal readonly struct NegateFloat : IUnary<uint, uint>, IUnary<float, float>
{
    public static uint Of(uint a) => a ^ 0x8000_0000;
    public static float Of(float a) => -a;
}

internal readonly struct AbsoluteFloat : IUnary<uint, uint>, IUnary<float, float>
{
    public static uint Of(uint a) => a & 0x7fff_ffff;
    public static float Of(float a) => MathF.Abs(a);
}

/// <summary>copysign takes the sign of its first operand.</summary>
internal readonly struct CopySign : IBinary<float>
{
    public static float Of(float a, float b) => MathF.CopySign(b, a);
}

internal readonly struct Reciprocal : IUnary<float, float>
{
    public static float Of(float a) => 1 / a;
}

internal readonly struct SquareRoot : IUnary<float, float>
{
    public static float Of(float a) => MathF.Sqrt(a);
}

internal readonly struct ReciprocalSquareRoot : IUnary<float, float>
{
    public static float Of(float a) => 1 / MathF.Sqrt(a);
}

internal readonly struct Exponential2 : IUnary<float, float>
{
    public static float Of(float a) => float.Exp2(a);
}

internal readonly struct Logarithm2 : IUnary<float, float>
{
    public static float Of(float a) => MathF.Log2(a);
}

internal readonly struct Sine : IUnary<float, float>
{
    public static float Of(float a) => MathF.Sin(a);
}

internal readonly struct Cosine : IUnary<float, float>
{
    public static float Of(float a) => MathF.Cos(a);
}

internal readonly struct HyperbolicTangent : IUnary<float, float>
{
    public static float Of(float a) => MathF.Tanh(a);
}

internal readonly struct NegateDouble : IUnary<double, double>
{
    public static double Of(double a) => -a;
}

internal readonly struct AbsoluteDouble : IUnary<double, double>
{
    public static double Of(double a) => Math.Abs(a);
}

internal readonly struct ReciprocalDouble : IUnary<double, double>
{
    public static double Of(double a) => 1 / a;
}

internal readonly struct SquareRootDouble : IUnary<double, double>
{
    public static double Of(double a) => Math.Sqrt(a);
}
