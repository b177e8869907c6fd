using System.Numerics;
using InferenceServer.Cuda.StandIn.Ptx.Parsing;
using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>mov, also as pack and unpack, and cvta between the address spaces.</summary>
internal static unsafe class MoveInstructions
{
    public static void Define(InstructionTable t)
    {
        t.Add("mov.{b16,u16,s16,f16,b32,u32,s32,f32}", "=T,T", &Lanes.Unary<uint, uint, Same<uint>>);
        t.Add("mov.{b64,u64,s64,f64}", "=T,T", &Lanes.Unary<ulong, ulong, Same<ulong>>);
        t.Add("mov.pred", "=T,T", &MovePredicate);
        // No text can spell these names: Form chooses them where braces stand.
        t.Add("mov.b32 pack2", "=b32,b16*2", &Pack);
        t.Add("mov.b64 pack2", "=b64,b32*2", &Pack);
        t.Add("mov.b64 pack4", "=b64,b16*4", &Pack);
        t.Add("mov.b32 unpack2", "=b16*2,b32", &Unpack);
        t.Add("mov.b64 unpack2", "=b32*2,b64", &Unpack);
        t.Add("mov.b64 unpack4", "=b16*4,b64", &Unpack);
        t.Add("cvta{,.global,.const}.u64", "=T,T", &Lanes.Unary<ulong, ulong, Same<ulong>>);
        t.Add("cvta.to.{global,const}.u64", "=T,T", &Lanes.Unary<ulong, ulong, Same<ulong>>);
        t.Add("cvta.shared{,::cta}.u64", "=T,T", &Lanes.Unary<ulong, ulong, Offset<SharedWindow>>);
        t.Add("cvta.to.shared{,::cta}.u64", "=T,T", &Lanes.Unary<ulong, ulong, OffsetBack<SharedWindow>>);
        t.Add("cvta.local.u64", "=T,T", &Lanes.Unary<ulong, ulong, Offset<LocalWindow>>);
        t.Add("cvta.to.local.u64", "=T,T", &Lanes.Unary<ulong, ulong, OffsetBack<LocalWindow>>);
        t.Add("cvta.param.u64", "=T,T", &Lanes.Unary<ulong, ulong, Offset<ParamWindow>>);
        t.Add("cvta.to.param.u64", "=T,T", &Lanes.Unary<ulong, ulong, OffsetBack<ParamWindow>>);
    }

    /// <summary>The opcode of a mov whose operands the reader is about to read.</summary>
    public static Opcode Form(Opcode mov, PtxReader reader)
    {
        bool unpack = reader.Peek() == '{';
        ReadOnlySpan<char> rest = reader.Text.AsSpan(reader.Position);
        rest = rest[..rest.IndexOf(';')];
        int open = rest.IndexOf('{');
        if (open < 0) return mov;
        int count = 1 + rest[open..(open + Math.Max(0, rest[open..].IndexOf('}')))].Count(',');
        Opcode? form = InstructionTable.All.Find($"{mov.Mnemonic} {(unpack ? "unpack" : "pack")}{count}");
        if (form == null) reader.Fail($"{mov.Mnemonic} takes no vector of {count}");
        return form!;
    }

    private static void MovePredicate(Warp warp, Instruction* i, uint mask) => warp.SetPredicate(i->R[0], mask, warp.Predicate(i->R[1]));

    private static void Pack(Warp warp, Instruction* i, uint mask)
    {
        int bits = (i->IsWide(0) ? 64 : 32) / i->Count;
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            ulong value = 0;
            for (int k = 0; k < i->Count; k++) value |= (ulong)warp.U32(i->R[1 + k])[lane] << (k * bits);
            warp.Set(i, 0, lane, value);
        }
    }

    private static void Unpack(Warp warp, Instruction* i, uint mask)
    {
        int bits = (i->IsWide(i->Count) ? 64 : 32) / i->Count;
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            ulong value = warp.Get(i, i->Count, lane);
            for (int k = 0; k < i->Count; k++) warp.Set(i, k, lane, value >> (k * bits));
        }
    }
}

internal interface IWindow
{
    static abstract ulong Base { get; }
}

internal readonly struct SharedWindow : IWindow
{
    public static ulong Base => AddressWindows.Shared;
}

internal readonly struct LocalWindow : IWindow
{
    public static ulong Base => AddressWindows.Local;
}

internal readonly struct ParamWindow : IWindow
{
    public static ulong Base => AddressWindows.Param;
}

internal readonly struct Offset<TWindow> : IUnary<ulong, ulong> where TWindow : struct, IWindow
{
    public static ulong Of(ulong a) => a + TWindow.Base;
}

internal readonly struct OffsetBack<TWindow> : IUnary<ulong, ulong> where TWindow : struct, IWindow
{
    public static ulong Of(ulong a) => a - TWindow.Base;
}
