using System.Numerics;
using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>Logic, shifts and the fields of words.</summary>
internal static unsafe class BitInstructions
{
    public static void Define(InstructionTable t)
    {
        t.Add("and.{b16,b32}", "=T,T,T", &Lanes.Binary<uint, And<uint>>);
        t.Add("and.b64", "=T,T,T", &Lanes.Binary<ulong, And<ulong>>);
        t.Add("and.pred", "=T,T,T", &Predicates<And<uint>>);
        t.Add("or.{b16,b32}", "=T,T,T", &Lanes.Binary<uint, Or<uint>>);
        t.Add("or.b64", "=T,T,T", &Lanes.Binary<ulong, Or<ulong>>);
        t.Add("or.pred", "=T,T,T", &Predicates<Or<uint>>);
        t.Add("xor.{b16,b32}", "=T,T,T", &Lanes.Binary<uint, Xor<uint>>);
        t.Add("xor.b64", "=T,T,T", &Lanes.Binary<ulong, Xor<ulong>>);
        t.Add("xor.pred", "=T,T,T", &Predicates<Xor<uint>>);
        t.Add("not.b16", "=T,T", &Lanes.Unary<uint, uint, Not16>);
        t.Add("not.b32", "=T,T", &Lanes.Unary<uint, uint, Not<uint>>);
        t.Add("not.b64", "=T,T", &Lanes.Unary<ulong, ulong, Not<ulong>>);
        t.Add("not.pred", "=T,T", &NotPredicate);
        Shifts(t);
        t.Add("popc.b32", "=u32,T", &Lanes.Unary<uint, uint, PopCount<uint>>);
        t.Add("popc.b64", "=u32,T", &Lanes.Unary<ulong, uint, PopCount<ulong>>);
        t.Add("clz.b32", "=u32,T", &Lanes.Unary<uint, uint, LeadingZeros<uint>>);
        t.Add("clz.b64", "=u32,T", &Lanes.Unary<ulong, uint, LeadingZeros<ulong>>);
        t.Add("bfind.u32", "=u32,T", &Lanes.Unary<uint, uint, HighestBit<uint>>);
        t.Add("bfind.u64", "=u32,T", &Lanes.Unary<ulong, uint, HighestBit<ulong>>);
        t.Add("brev.b32", "=T,T", &Lanes.Unary<uint, uint, Reverse32>);
        t.Add("brev.b64", "=T,T", &Lanes.Unary<ulong, ulong, Reverse64>);
        t.Add("bfe.u32", "=T,T,u32,u32", &Extract<uint>);
        t.Add("bfe.s32", "=T,T,u32,u32", &Extract<int>);
        t.Add("bfe.u64", "=T,T,u32,u32", &Extract<ulong>);
        t.Add("bfe.s64", "=T,T,u32,u32", &Extract<long>);
        t.Add("bfi.b32", "=T,T,T,u32,u32", &Insert<uint>);
        t.Add("bfi.b64", "=T,T,T,u32,u32", &Insert<ulong>);
        t.Add("prmt.b32", "=T,T,T,T", &Lanes.Ternary<uint, Permute>);
        t.Add("shf.l.wrap.b32", "=T,T,T,u32", &Lanes.Ternary<uint, FunnelLeftWrap>);
        t.Add("shf.r.wrap.b32", "=T,T,T,u32", &Lanes.Ternary<uint, FunnelRightWrap>);
        t.Add("shf.l.clamp.b32", "=T,T,T,u32", &Lanes.Ternary<uint, FunnelLeftClamp>);
        t.Add("shf.r.clamp.b32", "=T,T,T,u32", &Lanes.Ternary<uint, FunnelRightClamp>);
        t.Add("lop3.b32", "=T,T,T,T,#", &Logic3);
    }

    private static void Shifts(InstructionTable t)
    {
        t.Add("shl.b16", "=T,T,u32", &Lanes.Shift<uint, ShiftLeft16>);
        t.Add("shl.b32", "=T,T,u32", &Lanes.Shift<uint, ShiftLeft<uint>>);
        t.Add("shl.b64", "=T,T,u32", &Lanes.Shift<ulong, ShiftLeft<ulong>>);
        t.Add("shr.{b16,u16}", "=T,T,u32", &Lanes.Shift<uint, ShiftRight<uint>>);
        t.Add("shr.s16", "=T,T,u32", &Lanes.Shift<uint, ShiftRightSigned16>);
        t.Add("shr.{b32,u32}", "=T,T,u32", &Lanes.Shift<uint, ShiftRight<uint>>);
        t.Add("shr.s32", "=T,T,u32", &Lanes.Shift<int, ShiftRight<int>>);
        t.Add("shr.{b64,u64}", "=T,T,u32", &Lanes.Shift<ulong, ShiftRight<ulong>>);
        t.Add("shr.s64", "=T,T,u32", &Lanes.Shift<long, ShiftRight<long>>);
    }

    private static void Predicates<TOp>(Warp warp, Instruction* i, uint mask) where TOp : struct, IBinary<uint>
    {
        uint result = TOp.Of(warp.Predicate(i->R[1]), warp.Predicate(i->R[2]));
        warp.SetPredicate(i->R[0], mask, result);
    }

    private static void NotPredicate(Warp warp, Instruction* i, uint mask) => warp.SetPredicate(i->R[0], mask, ~warp.Predicate(i->R[1]));

    /// <summary>bfe: a field of b bits from bit a on; the sign of a signed one is repeated.</summary>
    private static void Extract<T>(Warp warp, Instruction* i, uint mask) where T : unmanaged, IBinaryInteger<T>
    {
        T* d = (T*)(warp.Registers + i->R[0]);
        T* a = (T*)(warp.Registers + i->R[1]);
        uint* position = warp.U32(i->R[2]);
        uint* length = warp.U32(i->R[3]);
        int bits = 8 * sizeof(T);
        bool signed = T.IsNegative(~T.Zero);
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            int p = (int)(position[lane] & 0xff), n = (int)(length[lane] & 0xff);
            UInt128 raw = UInt128.CreateTruncating(a[lane]) & ((UInt128.One << bits) - 1);
            int signAt = Math.Min(p + n - 1, bits - 1);
            bool negative = signed && n > 0 && (raw >> signAt & 1) != 0;
            UInt128 field = p >= 128 ? 0 : raw >> p;
            UInt128 keep = n >= 128 ? UInt128.MaxValue : (UInt128.One << n) - 1;
            // Bits above the word count as its sign.
            if (negative && p + n > bits) field |= UInt128.MaxValue << Math.Max(0, bits - p);
            field &= keep;
            if (negative) field |= ~keep;
            d[lane] = T.CreateTruncating(field);
        }
    }

    /// <summary>bfi: a's low bits into b.</summary>
    private static void Insert<T>(Warp warp, Instruction* i, uint mask) where T : unmanaged, IBinaryInteger<T>
    {
        T* d = (T*)(warp.Registers + i->R[0]);
        T* a = (T*)(warp.Registers + i->R[1]);
        T* b = (T*)(warp.Registers + i->R[2]);
        uint* position = warp.U32(i->R[3]);
        uint* length = warp.U32(i->R[4]);
        int bits = 8 * sizeof(T);
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            int p = (int)(position[lane] & 0xff), n = Math.Min((int)(length[lane] & 0xff), bits);
            T field = p >= bits ? T.Zero : T.CreateTruncating(((UInt128.One << n) - 1) << p);
            d[lane] = (b[lane] & ~field) | (p >= bits ? T.Zero : (a[lane] << p) & field);
        }
    }

    private static void Logic3(Warp warp, Instruction* i, uint mask)
    {
        uint* d = warp.U32(i->R[0]);
        uint* a = warp.U32(i->R[1]);
        uint* b = warp.U32(i->R[2]);
        uint* c = warp.U32(i->R[3]);
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            uint result = 0;
            for (int row = 0; row < 8; row++)
            {
                if ((i->Target >> row & 1) == 0) continue;
                result |= ((row & 4) != 0 ? a[lane] : ~a[lane]) & ((row & 2) != 0 ? b[lane] : ~b[lane]) & ((row & 1) != 0 ? c[lane] : ~c[lane]);
            }
            d[lane] = result;
        }
    }
}

internal readonly struct And<T> : IBinary<T> where T : unmanaged, IBinaryInteger<T>
{
    public static bool HasVector => true;
    public static T Of(T a, T b) => a & b;
    public static Vector<T> Of(Vector<T> a, Vector<T> b) => a & b;
}

internal readonly struct Or<T> : IBinary<T> where T : unmanaged, IBinaryInteger<T>
{
    public static bool HasVector => true;
    public static T Of(T a, T b) => a | b;
    public static Vector<T> Of(Vector<T> a, Vector<T> b) => a | b;
}

internal readonly struct Xor<T> : IBinary<T> where T : unmanaged, IBinaryInteger<T>
{
    public static bool HasVector => true;
    public static T Of(T a, T b) => a ^ b;
    public static Vector<T> Of(Vector<T> a, Vector<T> b) => a ^ b;
}

internal readonly struct Not<T> : IUnary<T, T> where T : unmanaged, IBinaryInteger<T>
{
    public static T Of(T a) => ~a;
}

internal readonly struct Not16 : IUnary<uint, uint>
{
    public static uint Of(uint a) => ~a & 0xffff;
}

internal readonly struct ShiftLeft<T> : IShift<T> where T : unmanaged, IBinaryInteger<T>
{
    public static T Of(T a, uint n) => n >= 8 * (uint)a.GetByteCount() ? T.Zero : a << (int)n;
}

internal readonly struct ShiftLeft16 : IShift<uint>
{
    public static uint Of(uint a, uint n) => n > 15 ? 0 : (a << (int)n) & 0xffff;
}

/// <summary>Repeats the sign of a signed type.</summary>
internal readonly struct ShiftRight<T> : IShift<T> where T : unmanaged, IBinaryInteger<T>
{
    public static T Of(T a, uint n) => n >= 8 * (uint)a.GetByteCount() ? (T.IsNegative(a) ? ~T.Zero : T.Zero) : a >> (int)n;
}

internal readonly struct ShiftRightSigned16 : IShift<uint>
{
    public static uint Of(uint a, uint n) => (uint)((short)a >> (int)Math.Min(n, 15)) & 0xffff;
}

internal readonly struct PopCount<T> : IUnary<T, uint> where T : unmanaged, IBinaryInteger<T>
{
    public static uint Of(T a) => uint.CreateTruncating(T.PopCount(a));
}

internal readonly struct LeadingZeros<T> : IUnary<T, uint> where T : unmanaged, IBinaryInteger<T>
{
    public static uint Of(T a) => uint.CreateTruncating(T.LeadingZeroCount(a));
}

/// <summary>The position of the highest set bit, or all ones.</summary>
internal readonly struct HighestBit<T> : IUnary<T, uint> where T : unmanaged, IBinaryInteger<T>
{
    public static uint Of(T a) => T.IsZero(a) ? uint.MaxValue : 8 * (uint)a.GetByteCount() - 1 - LeadingZeros<T>.Of(a);
}

internal readonly struct Reverse32 : IUnary<uint, uint>
{
    public static uint Of(uint a)
    {
        a = (a >> 1 & 0x55555555) | (a & 0x55555555) << 1;
        a = (a >> 2 & 0x33333333) | (a & 0x33333333) << 2;
        a = (a >> 4 & 0x0f0f0f0f) | (a & 0x0f0f0f0f) << 4;
        return System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(a);
    }
}

internal readonly struct Reverse64 : IUnary<ulong, ulong>
{
    public static ulong Of(ulong a) => (ulong)Reverse32.Of((uint)a) << 32 | Reverse32.Of((uint)(a >> 32));
}

/// <summary>prmt: each nibble of c picks one of the eight bytes of b:a; its top bit repeats the byte's sign.</summary>
internal readonly struct Permute : ITernary<uint>
{
    public static uint Of(uint a, uint b, uint c)
    {
        ulong bytes = (ulong)b << 32 | a;
        uint result = 0;
        for (int k = 0; k < 4; k++)
        {
            uint select = c >> (4 * k) & 0xf;
            uint value = (uint)(bytes >> (int)(8 * (select & 7))) & 0xff;
            if ((select & 8) != 0) value = (value & 0x80) != 0 ? 0xffu : 0;
            result |= value << (8 * k);
        }
        return result;
    }
}

internal readonly struct FunnelLeftWrap : ITernary<uint>
{
    public static uint Of(uint low, uint high, uint n) => (uint)((((ulong)high << 32 | low) << (int)(n & 31)) >> 32);
}

internal readonly struct FunnelRightWrap : ITernary<uint>
{
    public static uint Of(uint low, uint high, uint n) => (uint)(((ulong)high << 32 | low) >> (int)(n & 31));
}

internal readonly struct FunnelLeftClamp : ITernary<uint>
{
    public static uint Of(uint low, uint high, uint n) => (uint)((((ulong)high << 32 | low) << (int)Math.Min(n, 32)) >> 32);
}

internal readonly struct FunnelRightClamp : ITernary<uint>
{
    public static uint Of(uint low, uint high, uint n) => (uint)(((ulong)high << 32 | low) >> (int)Math.Min(n, 32));
}
