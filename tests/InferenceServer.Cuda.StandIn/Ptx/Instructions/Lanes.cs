using System.Numerics;
using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

internal interface IUnary<TIn, TOut>
{
    static abstract TOut Of(TIn a);
}

/// <summary>An operation on one lane, and on a vector of lanes where the hardware has one.</summary>
internal interface IBinary<T>
{
    static virtual bool HasVector => false;
    static abstract T Of(T a, T b);
    static virtual Vector<T> Of(Vector<T> a, Vector<T> b) => throw new NotSupportedException();
}

internal interface ITernary<T>
{
    static virtual bool HasVector => false;
    static abstract T Of(T a, T b, T c);
    static virtual Vector<T> Of(Vector<T> a, Vector<T> b, Vector<T> c) => throw new NotSupportedException();
}

/// <summary>
/// Runs an operation over the lanes of a mask. Rows are 32 elements; the register file is aligned to them. A 16-bit value sits in the
/// low half of a 32-bit element whose high half is zero.
/// </summary>
internal static unsafe class Lanes
{
    public static void Unary<TIn, TOut, TOp>(Warp warp, Instruction* i, uint mask)
        where TIn : unmanaged where TOut : unmanaged where TOp : struct, IUnary<TIn, TOut>
    {
        TOut* d = (TOut*)(warp.Registers + i->R[0]);
        TIn* a = (TIn*)(warp.Registers + i->R[1]);
        if (mask == uint.MaxValue)
            for (int lane = 0; lane < 32; lane++) d[lane] = TOp.Of(a[lane]);
        else
            for (; mask != 0; mask &= mask - 1)
            {
                int lane = BitOperations.TrailingZeroCount(mask);
                d[lane] = TOp.Of(a[lane]);
            }
    }

    public static void Binary<T, TOp>(Warp warp, Instruction* i, uint mask) where T : unmanaged where TOp : struct, IBinary<T>
    {
        T* d = (T*)(warp.Registers + i->R[0]);
        T* a = (T*)(warp.Registers + i->R[1]);
        T* b = (T*)(warp.Registers + i->R[2]);
        if (mask != uint.MaxValue)
            for (; mask != 0; mask &= mask - 1)
            {
                int lane = BitOperations.TrailingZeroCount(mask);
                d[lane] = TOp.Of(a[lane], b[lane]);
            }
        else if (TOp.HasVector)
            for (int lane = 0; lane < 32; lane += Vector<T>.Count)
                TOp.Of(Vector.LoadAligned(a + lane), Vector.LoadAligned(b + lane)).StoreAligned(d + lane);
        else
            for (int lane = 0; lane < 32; lane++) d[lane] = TOp.Of(a[lane], b[lane]);
    }

    public static void Ternary<T, TOp>(Warp warp, Instruction* i, uint mask) where T : unmanaged where TOp : struct, ITernary<T>
    {
        T* d = (T*)(warp.Registers + i->R[0]);
        T* a = (T*)(warp.Registers + i->R[1]);
        T* b = (T*)(warp.Registers + i->R[2]);
        T* c = (T*)(warp.Registers + i->R[3]);
        if (mask != uint.MaxValue)
            for (; mask != 0; mask &= mask - 1)
            {
                int lane = BitOperations.TrailingZeroCount(mask);
                d[lane] = TOp.Of(a[lane], b[lane], c[lane]);
            }
        else if (TOp.HasVector)
            for (int lane = 0; lane < 32; lane += Vector<T>.Count)
                TOp.Of(Vector.LoadAligned(a + lane), Vector.LoadAligned(b + lane), Vector.LoadAligned(c + lane)).StoreAligned(d + lane);
        else
            for (int lane = 0; lane < 32; lane++) d[lane] = TOp.Of(a[lane], b[lane], c[lane]);
    }

    /// <summary>A row of <typeparamref name="T"/> and a row of 32-bit elements, as shifts take them.</summary>
    public static void Shift<T, TOp>(Warp warp, Instruction* i, uint mask) where T : unmanaged where TOp : struct, IShift<T>
    {
        T* d = (T*)(warp.Registers + i->R[0]);
        T* a = (T*)(warp.Registers + i->R[1]);
        uint* b = warp.U32(i->R[2]);
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            d[lane] = TOp.Of(a[lane], b[lane]);
        }
    }
}

/// <summary>A shift by an amount that may exceed the width.</summary>
internal interface IShift<T>
{
    static abstract T Of(T a, uint amount);
}
