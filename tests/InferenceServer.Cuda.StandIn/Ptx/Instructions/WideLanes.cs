using System.Numerics;
using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>32-bit factors, 64-bit results.</summary>
internal static unsafe class WideLanes
{
    public static void Multiply<TIn, TOut>(Warp warp, Instruction* i, uint mask)
        where TIn : unmanaged, IBinaryInteger<TIn> where TOut : unmanaged, IBinaryInteger<TOut>
    {
        TOut* d = (TOut*)(warp.Registers + i->R[0]);
        TIn* a = (TIn*)(warp.Registers + i->R[1]);
        TIn* b = (TIn*)(warp.Registers + i->R[2]);
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            d[lane] = TOut.CreateTruncating(a[lane]) * TOut.CreateTruncating(b[lane]);
        }
    }

    public static void MultiplyAdd<TIn, TOut>(Warp warp, Instruction* i, uint mask)
        where TIn : unmanaged, IBinaryInteger<TIn> where TOut : unmanaged, IBinaryInteger<TOut>
    {
        TOut* d = (TOut*)(warp.Registers + i->R[0]);
        TIn* a = (TIn*)(warp.Registers + i->R[1]);
        TIn* b = (TIn*)(warp.Registers + i->R[2]);
        TOut* c = (TOut*)(warp.Registers + i->R[3]);
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            d[lane] = TOut.CreateTruncating(a[lane]) * TOut.CreateTruncating(b[lane]) + c[lane];
        }
    }
}
