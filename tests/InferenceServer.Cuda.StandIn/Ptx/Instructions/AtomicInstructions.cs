using System.Numerics;
using System.Runtime.CompilerServices;
using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>The new value of a word from the old one and an operand.</summary>
internal interface IUpdate<T>
{
    static abstract T Of(T old, T operand);
}

/// <summary>atom and red: atomic across the OS threads that run blocks; the lanes of a warp go one after another.</summary>
internal static unsafe class AtomicInstructions
{
    private const string Order = "{,.relaxed,.acquire,.release,.acq_rel}{,.cta,.cluster,.gpu,.sys}";

    public static void Define(InstructionTable t)
    {
        Update<uint, Plus<uint>>(t, "add.{u32,s32}");
        Update<ulong, Plus<ulong>>(t, "add.u64");
        Update<uint, PlusFloat>(t, "add.f32");
        Update<ulong, PlusDouble>(t, "add.f64");
        Update<uint, PlusHalves<F16>>(t, "add.noftz.f16x2");
        Update<uint, PlusHalves<BF16>>(t, "add.noftz.bf16x2");
        Update<uint, Smaller<uint>>(t, "min.u32");
        Update<int, Smaller<int>>(t, "min.s32");
        Update<ulong, Smaller<ulong>>(t, "min.u64");
        Update<long, Smaller<long>>(t, "min.s64");
        Update<uint, Larger<uint>>(t, "max.u32");
        Update<int, Larger<int>>(t, "max.s32");
        Update<ulong, Larger<ulong>>(t, "max.u64");
        Update<long, Larger<long>>(t, "max.s64");
        Update<uint, BitAnd<uint>>(t, "and.b32");
        Update<ulong, BitAnd<ulong>>(t, "and.b64");
        Update<uint, BitOr<uint>>(t, "or.b32");
        Update<ulong, BitOr<ulong>>(t, "or.b64");
        Update<uint, BitXor<uint>>(t, "xor.b32");
        Update<ulong, BitXor<ulong>>(t, "xor.b64");
        Update<uint, CountUp>(t, "inc.u32");
        Update<uint, CountDown>(t, "dec.u32");
        foreach ((string name, StateSpace space) in Spaces)
        {
            t.Add($"atom{Order}{name}.exch.b32", "=T,[],T", &Fetch<uint, Replace<uint>>, space: space, passesUndefined: false);
            t.Add($"atom{Order}{name}.exch.b64", "=T,[],T", &Fetch<ulong, Replace<ulong>>, space: space, passesUndefined: false);
            t.Add($"atom{Order}{name}.cas.b32", "=T,[],T,T", &CompareAndSwap<uint>, space: space, passesUndefined: false);
            t.Add($"atom{Order}{name}.cas.b64", "=T,[],T,T", &CompareAndSwap<ulong>, space: space, passesUndefined: false);
        }
    }

    private static readonly (string Name, StateSpace Space)[] Spaces =
        [("", StateSpace.Generic), (".global", StateSpace.Global), (".shared", StateSpace.Shared), (".shared::cta", StateSpace.Shared)];

    private static void Update<T, TUpdate>(InstructionTable t, string operation) where T : unmanaged where TUpdate : struct, IUpdate<T>
    {
        foreach ((string name, StateSpace space) in Spaces)
        {
            t.Add($"atom{Order}{name}.{operation}", "=T,[],T", &Fetch<T, TUpdate>, space: space, passesUndefined: false);
            t.Add($"red{Order.Replace(",.acquire", "").Replace(",.acq_rel", "")}{name}.{operation}", "[],T", &Reduce<T, TUpdate>, space: space, passesUndefined: false);
        }
    }

    private static void Fetch<T, TUpdate>(Warp warp, Instruction* i, uint mask) where T : unmanaged where TUpdate : struct, IUpdate<T>
    {
        T* d = (T*)(warp.Registers + i->R[0]);
        T* operand = (T*)(warp.Registers + i->R[2]);
        warp.CountRequest(i, mask, 1, sizeof(T));
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            d[lane] = Apply<T, TUpdate>(warp, i, lane, warp.Address(i, 1, lane), operand[lane]);
        }
    }

    private static void Reduce<T, TUpdate>(Warp warp, Instruction* i, uint mask) where T : unmanaged where TUpdate : struct, IUpdate<T>
    {
        T* operand = (T*)(warp.Registers + i->R[1]);
        warp.CountRequest(i, mask, 0, sizeof(T));
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            Apply<T, TUpdate>(warp, i, lane, warp.Address(i, 0, lane), operand[lane]);
        }
    }

    private static T Apply<T, TUpdate>(Warp warp, Instruction* i, int lane, ulong address, T operand) where T : unmanaged where TUpdate : struct, IUpdate<T>
    {
        T* at = (T*)warp.Atomic(i, lane, address, sizeof(T));
        for (; ; )
        {
            T old = *at;
            if (Exchange(at, TUpdate.Of(old, operand), old)) return old;
        }
    }

    private static void CompareAndSwap<T>(Warp warp, Instruction* i, uint mask) where T : unmanaged
    {
        T* d = (T*)(warp.Registers + i->R[0]);
        T* expected = (T*)(warp.Registers + i->R[2]);
        T* desired = (T*)(warp.Registers + i->R[3]);
        warp.CountRequest(i, mask, 1, sizeof(T));
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            T* at = (T*)warp.Atomic(i, lane, warp.Address(i, 1, lane), sizeof(T));
            for (; ; )
            {
                T old = *at;
                bool equal = EqualityComparer<T>.Default.Equals(old, expected[lane]);
                if (equal && !Exchange(at, desired[lane], old)) continue;
                d[lane] = old;
                break;
            }
        }
    }

    private static bool Exchange<T>(T* at, T value, T expected) where T : unmanaged
    {
        if (sizeof(T) == 4)
        {
            uint before = Unsafe.BitCast<T, uint>(expected);
            return Interlocked.CompareExchange(ref *(uint*)at, Unsafe.BitCast<T, uint>(value), before) == before;
        }
        ulong wideBefore = Unsafe.BitCast<T, ulong>(expected);
        return Interlocked.CompareExchange(ref *(ulong*)at, Unsafe.BitCast<T, ulong>(value), wideBefore) == wideBefore;
    }
}

internal readonly struct Plus<T> : IUpdate<T> where T : unmanaged, IBinaryInteger<T>
{
    public static T Of(T old, T operand) => old + operand;
}

internal readonly struct PlusFloat : IUpdate<uint>
{
    public static uint Of(uint old, uint operand) => BitConverter.SingleToUInt32Bits(BitConverter.UInt32BitsToSingle(old) + BitConverter.UInt32BitsToSingle(operand));
}

internal readonly struct PlusDouble : IUpdate<ulong>
{
    public static ulong Of(ulong old, ulong operand) => BitConverter.DoubleToUInt64Bits(BitConverter.UInt64BitsToDouble(old) + BitConverter.UInt64BitsToDouble(operand));
}

internal readonly struct PlusHalves<TFormat> : IUpdate<uint> where TFormat : struct, IHalfFormat
{
    public static uint Of(uint old, uint operand) => Pair2<TFormat, Add<double>>.Of(old, operand);
}

internal readonly struct Smaller<T> : IUpdate<T> where T : unmanaged, IBinaryInteger<T>
{
    public static T Of(T old, T operand) => T.Min(old, operand);
}

internal readonly struct Larger<T> : IUpdate<T> where T : unmanaged, IBinaryInteger<T>
{
    public static T Of(T old, T operand) => T.Max(old, operand);
}

internal readonly struct BitAnd<T> : IUpdate<T> where T : unmanaged, IBinaryInteger<T>
{
    public static T Of(T old, T operand) => old & operand;
}

internal readonly struct BitOr<T> : IUpdate<T> where T : unmanaged, IBinaryInteger<T>
{
    public static T Of(T old, T operand) => old | operand;
}

internal readonly struct BitXor<T> : IUpdate<T> where T : unmanaged, IBinaryInteger<T>
{
    public static T Of(T old, T operand) => old ^ operand;
}

internal readonly struct Replace<T> : IUpdate<T>
{
    public static T Of(T old, T operand) => operand;
}

/// <summary>Counts up to the operand, then starts at zero again.</summary>
internal readonly struct CountUp : IUpdate<uint>
{
    public static uint Of(uint old, uint operand) => old >= operand ? 0 : old + 1;
}

internal readonly struct CountDown : IUpdate<uint>
{
    public static uint Of(uint old, uint operand) => old == 0 || old > operand ? operand : old - 1;
}
