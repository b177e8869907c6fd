using System.Numerics;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>Integer arithmetic; wraps around. Division by zero gives all ones, as devices do.</summary>
internal static unsafe class IntegerInstructions
{
    public static void Define(InstructionTable t)
    {
        t.Add("add.{u16,s16}", "=T,T,T", &Lanes.Binary<uint, Low16<Add<uint>>>);
        t.Add("add.{u32,s32}", "=T,T,T", &Lanes.Binary<uint, Add<uint>>);
        t.Add("add.{u64,s64}", "=T,T,T", &Lanes.Binary<ulong, Add<ulong>>);
        t.Add("sub.{u16,s16}", "=T,T,T", &Lanes.Binary<uint, Low16<Sub<uint>>>);
        t.Add("sub.{u32,s32}", "=T,T,T", &Lanes.Binary<uint, Sub<uint>>);
        t.Add("sub.{u64,s64}", "=T,T,T", &Lanes.Binary<ulong, Sub<ulong>>);
        Multiply(t);
        Divide(t);
        t.Add("min.u16", "=T,T,T", &Lanes.Binary<uint, Min<uint>>);
        t.Add("min.s16", "=T,T,T", &Lanes.Binary<uint, Signed16<Min<int>>>);
        t.Add("min.u32", "=T,T,T", &Lanes.Binary<uint, Min<uint>>);
        t.Add("min.s32", "=T,T,T", &Lanes.Binary<int, Min<int>>);
        t.Add("min.u64", "=T,T,T", &Lanes.Binary<ulong, Min<ulong>>);
        t.Add("min.s64", "=T,T,T", &Lanes.Binary<long, Min<long>>);
        t.Add("max.u16", "=T,T,T", &Lanes.Binary<uint, Max<uint>>);
        t.Add("max.s16", "=T,T,T", &Lanes.Binary<uint, Signed16<Max<int>>>);
        t.Add("max.u32", "=T,T,T", &Lanes.Binary<uint, Max<uint>>);
        t.Add("max.s32", "=T,T,T", &Lanes.Binary<int, Max<int>>);
        t.Add("max.u64", "=T,T,T", &Lanes.Binary<ulong, Max<ulong>>);
        t.Add("max.s64", "=T,T,T", &Lanes.Binary<long, Max<long>>);
        t.Add("neg.s16", "=T,T", &Lanes.Unary<uint, uint, Negate16>);
        t.Add("neg.s32", "=T,T", &Lanes.Unary<int, int, Negate<int>>);
        t.Add("neg.s64", "=T,T", &Lanes.Unary<long, long, Negate<long>>);
        t.Add("abs.s16", "=T,T", &Lanes.Unary<uint, uint, Absolute16>);
        t.Add("abs.s32", "=T,T", &Lanes.Unary<int, int, Absolute<int>>);
        t.Add("abs.s64", "=T,T", &Lanes.Unary<long, long, Absolute<long>>);
    }

    private static void Multiply(InstructionTable t)
    {
        t.Add("mul.lo.{u16,s16}", "=T,T,T", &Lanes.Binary<uint, Low16<Mul<uint>>>);
        t.Add("mul.lo.{u32,s32}", "=T,T,T", &Lanes.Binary<uint, Mul<uint>>);
        t.Add("mul.lo.{u64,s64}", "=T,T,T", &Lanes.Binary<ulong, Mul<ulong>>);
        t.Add("mul.hi.u16", "=T,T,T", &Lanes.Binary<uint, High16>);
        t.Add("mul.hi.s16", "=T,T,T", &Lanes.Binary<uint, Signed16<High16Signed>>);
        t.Add("mul.hi.u32", "=T,T,T", &Lanes.Binary<uint, High<uint>>);
        t.Add("mul.hi.s32", "=T,T,T", &Lanes.Binary<int, High<int>>);
        t.Add("mul.hi.u64", "=T,T,T", &Lanes.Binary<ulong, High<ulong>>);
        t.Add("mul.hi.s64", "=T,T,T", &Lanes.Binary<long, High<long>>);
        t.Add("mul.wide.u16", "=W,T,T", &Lanes.Binary<uint, Mul<uint>>);
        t.Add("mul.wide.s16", "=W,T,T", &Lanes.Binary<uint, Wide16>);
        t.Add("mul.wide.u32", "=W,T,T", &WideLanes.Multiply<uint, ulong>);
        t.Add("mul.wide.s32", "=W,T,T", &WideLanes.Multiply<int, long>);
        t.Add("mad.lo.{u16,s16}", "=T,T,T,T", &Lanes.Ternary<uint, MulAdd16>);
        t.Add("mad.lo.{u32,s32}", "=T,T,T,T", &Lanes.Ternary<uint, MulAdd<uint>>);
        t.Add("mad.lo.{u64,s64}", "=T,T,T,T", &Lanes.Ternary<ulong, MulAdd<ulong>>);
        t.Add("mad.hi.u32", "=T,T,T,T", &Lanes.Ternary<uint, HighAdd<uint>>);
        t.Add("mad.hi.s32", "=T,T,T,T", &Lanes.Ternary<int, HighAdd<int>>);
        t.Add("mad.hi.u64", "=T,T,T,T", &Lanes.Ternary<ulong, HighAdd<ulong>>);
        t.Add("mad.hi.s64", "=T,T,T,T", &Lanes.Ternary<long, HighAdd<long>>);
        t.Add("mad.wide.u32", "=W,T,T,W", &WideLanes.MultiplyAdd<uint, ulong>);
        t.Add("mad.wide.s32", "=W,T,T,W", &WideLanes.MultiplyAdd<int, long>);
    }

    private static void Divide(InstructionTable t)
    {
        t.Add("div.u16", "=T,T,T", &Lanes.Binary<uint, Low16<Div<uint>>>);
        t.Add("div.s16", "=T,T,T", &Lanes.Binary<uint, Signed16<Div<int>>>);
        t.Add("div.u32", "=T,T,T", &Lanes.Binary<uint, Div<uint>>);
        t.Add("div.s32", "=T,T,T", &Lanes.Binary<int, Div<int>>);
        t.Add("div.u64", "=T,T,T", &Lanes.Binary<ulong, Div<ulong>>);
        t.Add("div.s64", "=T,T,T", &Lanes.Binary<long, Div<long>>);
        t.Add("rem.u16", "=T,T,T", &Lanes.Binary<uint, Low16<Rem<uint>>>);
        t.Add("rem.s16", "=T,T,T", &Lanes.Binary<uint, Signed16<Rem<int>>>);
        t.Add("rem.u32", "=T,T,T", &Lanes.Binary<uint, Rem<uint>>);
        t.Add("rem.s32", "=T,T,T", &Lanes.Binary<int, Rem<int>>);
        t.Add("rem.u64", "=T,T,T", &Lanes.Binary<ulong, Rem<ulong>>);
        t.Add("rem.s64", "=T,T,T", &Lanes.Binary<long, Rem<long>>);
    }
}

internal readonly struct Add<T> : IBinary<T> where T : unmanaged, IAdditionOperators<T, T, T>
{
    public static bool HasVector => true;
    public static T Of(T a, T b) => a + b;
    public static Vector<T> Of(Vector<T> a, Vector<T> b) => a + b;
}

internal readonly struct Sub<T> : IBinary<T> where T : unmanaged, ISubtractionOperators<T, T, T>
{
    public static bool HasVector => true;
    public static T Of(T a, T b) => a - b;
    public static Vector<T> Of(Vector<T> a, Vector<T> b) => a - b;
}

internal readonly struct Mul<T> : IBinary<T> where T : unmanaged, IMultiplyOperators<T, T, T>
{
    public static bool HasVector => true;
    public static T Of(T a, T b) => a * b;
    public static Vector<T> Of(Vector<T> a, Vector<T> b) => a * b;
}

/// <summary>The smaller integer.</summary>
internal readonly struct Min<T> : IBinary<T> where T : unmanaged, IBinaryInteger<T>
{
    public static bool HasVector => true;
    public static T Of(T a, T b) => T.Min(a, b);
    public static Vector<T> Of(Vector<T> a, Vector<T> b) => Vector.Min(a, b);
}

/// <summary>The larger integer.</summary>
internal readonly struct Max<T> : IBinary<T> where T : unmanaged, IBinaryInteger<T>
{
    public static bool HasVector => true;
    public static T Of(T a, T b) => T.Max(a, b);
    public static Vector<T> Of(Vector<T> a, Vector<T> b) => Vector.Max(a, b);
}

internal readonly struct MulAdd<T> : ITernary<T> where T : unmanaged, IBinaryInteger<T>
{
    public static bool HasVector => true;
    public static T Of(T a, T b, T c) => a * b + c;
    public static Vector<T> Of(Vector<T> a, Vector<T> b, Vector<T> c) => a * b + c;
}

internal readonly struct MulAdd16 : ITernary<uint>
{
    public static uint Of(uint a, uint b, uint c) => (a * b + c) & 0xffff;
}

/// <summary>The upper half of the product.</summary>
internal readonly struct High<T> : IBinary<T> where T : unmanaged, IBinaryInteger<T>
{
    public static T Of(T a, T b) => T.CreateTruncating((Int128.CreateTruncating(a) * Int128.CreateTruncating(b)) >> (8 * sizeof(int) * (T.Zero.GetByteCount() / 4)));
}

internal readonly struct HighAdd<T> : ITernary<T> where T : unmanaged, IBinaryInteger<T>
{
    public static T Of(T a, T b, T c) => High<T>.Of(a, b) + c;
}

internal readonly struct High16 : IBinary<uint>
{
    public static uint Of(uint a, uint b) => (a * b) >> 16;
}

internal readonly struct High16Signed : IBinary<int>
{
    public static int Of(int a, int b) => (a * b) >> 16;
}

internal readonly struct Wide16 : IBinary<uint>
{
    public static uint Of(uint a, uint b) => (uint)((short)a * (short)b);
}

internal readonly struct Div<T> : IBinary<T> where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
{
    public static T Of(T a, T b) => b == T.Zero ? ~T.Zero : Rem<T>.Overflows(a, b) ? a : a / b;
}

internal readonly struct Rem<T> : IBinary<T> where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
{
    public static T Of(T a, T b) => b == T.Zero ? a : Overflows(a, b) ? T.Zero : a % b;
    /// <summary>The most negative number by -1, which .NET refuses.</summary>
    public static bool Overflows(T a, T b) => T.MinValue < T.Zero && a == T.MinValue && b == ~T.Zero;
}

internal readonly struct Negate<T> : IUnary<T, T> where T : unmanaged, IBinaryInteger<T>
{
    public static T Of(T a) => T.Zero - a;
}

internal readonly struct Absolute<T> : IUnary<T, T> where T : unmanaged, IBinaryInteger<T>
{
    public static T Of(T a) => a < T.Zero ? T.Zero - a : a;
}

internal readonly struct Negate16 : IUnary<uint, uint>
{
    public static uint Of(uint a) => (0 - a) & 0xffff;
}

internal readonly struct Absolute16 : IUnary<uint, uint>
{
    public static uint Of(uint a) => (short)a < 0 ? (0 - a) & 0xffff : a;
}

/// <summary>A 32-bit operation on 16-bit values whose upper halves are zero.</summary>
internal readonly struct Low16<TOp> : IBinary<uint> where TOp : struct, IBinary<uint>
{
    public static uint Of(uint a, uint b) => TOp.Of(a, b) & 0xffff;
}

/// <summary>The same on values that are signed.</summary>
internal readonly struct Signed16<TOp> : IBinary<uint> where TOp : struct, IBinary<int>
{
    public static uint Of(uint a, uint b) => (uint)TOp.Of((short)a, (short)b) & 0xffff;
}
