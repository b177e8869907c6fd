using System.Numerics;
using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

internal interface ICompare<T>
{
    static abstract bool Of(T a, T b);
}

internal interface ICombine
{
    static abstract uint Of(uint comparison, uint predicate);
}

/// <summary>setp in all its forms, and selp.</summary>
internal static unsafe class CompareInstructions
{
    public static void Define(InstructionTable t)
    {
        Integers(t);
        Floats(t);
        t.Add("selp.{b16,u16,s16,f16,b32,u32,s32,f32}", "=T,T,T,pred", &Select<uint>);
        t.Add("selp.{b64,u64,s64,f64}", "=T,T,T,pred", &Select<ulong>);
    }

    private static void Integers(InstructionTable t)
    {
        Add<uint, Equal<uint>>(t, "eq", "", "b16,u16,s16,b32,u32,s32");
        Add<uint, NotEqual<uint>>(t, "ne", "", "b16,u16,s16,b32,u32,s32");
        Add<ulong, Equal<ulong>>(t, "eq", "", "b64,u64,s64");
        Add<ulong, NotEqual<ulong>>(t, "ne", "", "b64,u64,s64");
        Add<uint, Less<uint>>(t, "{lt,lo}", "", "u16,u32");
        Add<uint, LessOrEqual<uint>>(t, "{le,ls}", "", "u16,u32");
        Add<uint, Greater<uint>>(t, "{gt,hi}", "", "u16,u32");
        Add<uint, GreaterOrEqual<uint>>(t, "{ge,hs}", "", "u16,u32");
        Add<ulong, Less<ulong>>(t, "{lt,lo}", "", "u64");
        Add<ulong, LessOrEqual<ulong>>(t, "{le,ls}", "", "u64");
        Add<ulong, Greater<ulong>>(t, "{gt,hi}", "", "u64");
        Add<ulong, GreaterOrEqual<ulong>>(t, "{ge,hs}", "", "u64");
        Add<int, Less<int>>(t, "lt", "", "s32");
        Add<int, LessOrEqual<int>>(t, "le", "", "s32");
        Add<int, Greater<int>>(t, "gt", "", "s32");
        Add<int, GreaterOrEqual<int>>(t, "ge", "", "s32");
        Add<long, Less<long>>(t, "lt", "", "s64");
        Add<long, LessOrEqual<long>>(t, "le", "", "s64");
        Add<long, Greater<long>>(t, "gt", "", "s64");
        Add<long, GreaterOrEqual<long>>(t, "ge", "", "s64");
        Add<uint, Signed16Compare<Less<int>>>(t, "lt", "", "s16");
        Add<uint, Signed16Compare<LessOrEqual<int>>>(t, "le", "", "s16");
        Add<uint, Signed16Compare<Greater<int>>>(t, "gt", "", "s16");
        Add<uint, Signed16Compare<GreaterOrEqual<int>>>(t, "ge", "", "s16");
    }

    private static void Floats(InstructionTable t)
    {
        AddFloat<Equal<float>, Equal<double>>(t, "eq");
        AddFloat<Ordered<NotEqual<float>, float>, Ordered<NotEqual<double>, double>>(t, "ne");
        AddFloat<Less<float>, Less<double>>(t, "lt");
        AddFloat<LessOrEqual<float>, LessOrEqual<double>>(t, "le");
        AddFloat<Greater<float>, Greater<double>>(t, "gt");
        AddFloat<GreaterOrEqual<float>, GreaterOrEqual<double>>(t, "ge");
        AddFloat<Unordered<Equal<float>, float>, Unordered<Equal<double>, double>>(t, "equ");
        AddFloat<NotEqual<float>, NotEqual<double>>(t, "neu");
        AddFloat<Unordered<Less<float>, float>, Unordered<Less<double>, double>>(t, "ltu");
        AddFloat<Unordered<LessOrEqual<float>, float>, Unordered<LessOrEqual<double>, double>>(t, "leu");
        AddFloat<Unordered<Greater<float>, float>, Unordered<Greater<double>, double>>(t, "gtu");
        AddFloat<Unordered<GreaterOrEqual<float>, float>, Unordered<GreaterOrEqual<double>, double>>(t, "geu");
        AddFloat<BothNumbers<float>, BothNumbers<double>>(t, "num");
        AddFloat<SomeNaN<float>, SomeNaN<double>>(t, "nan");
    }

    private static void AddFloat<TSingle, TDouble>(InstructionTable t, string comparison) where TSingle : struct, ICompare<float> where TDouble : struct, ICompare<double>
    {
        Add<float, TSingle>(t, comparison, "", "f32");
        Add<float, FlushedCompare<TSingle>>(t, comparison, ".ftz", "f32");
        Add<double, TDouble>(t, comparison, "", "f64");
        Add<uint, HalfCompare<F16, TSingle>>(t, comparison, "", "f16");
        Add<uint, HalfCompare<BF16, TSingle>>(t, comparison, "", "bf16");
    }

    private static void Add<T, TCompare>(InstructionTable t, string comparison, string ftz, string types) where T : unmanaged where TCompare : struct, ICompare<T>
    {
        t.Add($"setp.{comparison}{ftz}.{{{types}}}", "=pred|p,T,T", &Compare<T, TCompare, CombineNone>);
        t.Add($"setp.{comparison}.and{ftz}.{{{types}}}", "=pred|p,T,T,!pred", &Compare<T, TCompare, CombineAnd>);
        t.Add($"setp.{comparison}.or{ftz}.{{{types}}}", "=pred|p,T,T,!pred", &Compare<T, TCompare, CombineOr>);
        t.Add($"setp.{comparison}.xor{ftz}.{{{types}}}", "=pred|p,T,T,!pred", &Compare<T, TCompare, CombineXor>);
    }

    private static void Compare<T, TCompare, TCombine>(Warp warp, Instruction* i, uint mask)
        where T : unmanaged where TCompare : struct, ICompare<T> where TCombine : struct, ICombine
    {
        T* a = (T*)(warp.Registers + i->R[2]);
        T* b = (T*)(warp.Registers + i->R[3]);
        uint result = 0, inverse;
        for (int lane = 0; lane < 32; lane++) result |= (TCompare.Of(a[lane], b[lane]) ? 1u : 0) << lane;
        inverse = ~result;
        if (typeof(TCombine) != typeof(CombineNone))
        {
            uint predicate = warp.Predicate(i->R[4]) ^ (i->Negated ? uint.MaxValue : 0);
            result = TCombine.Of(result, predicate);
            inverse = TCombine.Of(inverse, predicate);
        }
        warp.SetPredicate(i->R[0], mask, result);
        if (i->R[1] >= 0) warp.SetPredicate(i->R[1], mask, inverse);
    }

    private static void Select<T>(Warp warp, Instruction* i, uint mask) where T : unmanaged
    {
        T* d = (T*)(warp.Registers + i->R[0]);
        T* a = (T*)(warp.Registers + i->R[1]);
        T* b = (T*)(warp.Registers + i->R[2]);
        uint choice = warp.Predicate(i->R[3]);
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            d[lane] = (choice >> lane & 1) != 0 ? a[lane] : b[lane];
        }
    }
}

internal readonly struct CombineNone : ICombine
{
    public static uint Of(uint comparison, uint predicate) => comparison;
}

internal readonly struct CombineAnd : ICombine
{
    public static uint Of(uint comparison, uint predicate) => comparison & predicate;
}

internal readonly struct CombineOr : ICombine
{
    public static uint Of(uint comparison, uint predicate) => comparison | predicate;
}

internal readonly struct CombineXor : ICombine
{
    public static uint Of(uint comparison, uint predicate) => comparison ^ predicate;
}

internal readonly struct Equal<T> : ICompare<T> where T : unmanaged, INumber<T>
{
    public static bool Of(T a, T b) => a == b;
}

internal readonly struct NotEqual<T> : ICompare<T> where T : unmanaged, INumber<T>
{
    public static bool Of(T a, T b) => a != b;
}

internal readonly struct Less<T> : ICompare<T> where T : unmanaged, INumber<T>
{
    public static bool Of(T a, T b) => a < b;
}

internal readonly struct LessOrEqual<T> : ICompare<T> where T : unmanaged, INumber<T>
{
    public static bool Of(T a, T b) => a <= b;
}

internal readonly struct Greater<T> : ICompare<T> where T : unmanaged, INumber<T>
{
    public static bool Of(T a, T b) => a > b;
}

internal readonly struct GreaterOrEqual<T> : ICompare<T> where T : unmanaged, INumber<T>
{
    public static bool Of(T a, T b) => a >= b;
}

internal readonly struct BothNumbers<T> : ICompare<T> where T : unmanaged, INumber<T>
{
    public static bool Of(T a, T b) => !T.IsNaN(a) && !T.IsNaN(b);
}

internal readonly struct SomeNaN<T> : ICompare<T> where T : unmanaged, INumber<T>
{
    public static bool Of(T a, T b) => T.IsNaN(a) || T.IsNaN(b);
}

/// <summary>False if an operand is NaN.</summary>
internal readonly struct Ordered<TOp, T> : ICompare<T> where TOp : struct, ICompare<T> where T : unmanaged, INumber<T>
{
    public static bool Of(T a, T b) => BothNumbers<T>.Of(a, b) && TOp.Of(a, b);
}

/// <summary>True if an operand is NaN.</summary>
internal readonly struct Unordered<TOp, T> : ICompare<T> where TOp : struct, ICompare<T> where T : unmanaged, INumber<T>
{
    public static bool Of(T a, T b) => SomeNaN<T>.Of(a, b) || TOp.Of(a, b);
}

internal readonly struct FlushedCompare<TOp> : ICompare<float> where TOp : struct, ICompare<float>
{
    public static bool Of(float a, float b) => TOp.Of(Subnormals.Flush(a), Subnormals.Flush(b));
}

internal readonly struct Signed16Compare<TOp> : ICompare<uint> where TOp : struct, ICompare<int>
{
    public static bool Of(uint a, uint b) => TOp.Of((short)a, (short)b);
}

internal readonly struct HalfCompare<TFormat, TOp> : ICompare<uint> where TFormat : struct, IHalfFormat where TOp : struct, ICompare<float>
{
    public static bool Of(uint a, uint b) => TOp.Of(TFormat.WidenToSingle(a), TFormat.WidenToSingle(b));
}
