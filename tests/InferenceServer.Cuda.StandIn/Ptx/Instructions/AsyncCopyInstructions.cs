using System.Numerics;
using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>cp.async and its groups.</summary>
internal static unsafe class AsyncCopyInstructions
{
    public static void Define(InstructionTable t)
    {
        t.Add("cp.async.{ca,cg}.shared{,::cta}.global{,.L2::64B,.L2::128B,.L2::256B}", "[],[],#,u32?", &Copy, space: StateSpace.Shared, passesUndefined: false);
        t.Add("cp.async.commit_group", "", &Commit);
        t.Add("cp.async.wait_group", "#", &WaitGroup);
        t.Add("cp.async.wait_all", "", &WaitAll);
    }

    private static void Copy(Warp warp, Instruction* i, uint mask)
    {
        int bytes = i->Target;
        warp.CountRequest(i, mask, 1, bytes);
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            ulong destination = warp.Address(i, 0, lane), source = warp.U64(i->R[1])[lane] + (ulong)i->Offset2;
            uint sourceBytes = i->R[2] < 0 ? (uint)bytes : warp.U32(i->R[2])[lane];
            if (sourceBytes > bytes) warp.Fault(i, lane, $"a source of {sourceBytes} bytes for a copy of {bytes}");
            if ((source & (ulong)(bytes - 1)) != 0) warp.Fault(i, lane, $"misaligned source of {bytes} bytes at global address 0x{source:x}");
            if (sourceBytes != 0) warp.GlobalUnaligned(i, lane, source, (int)sourceBytes);
            warp.Block.Shared.BeginCopy(warp, i, lane, destination, bytes);
            warp.Copies.Add(lane, (int)destination, source, bytes, (int)sourceBytes);
        }
    }

    private static void Commit(Warp warp, Instruction* i, uint mask) => warp.Copies.Commit(mask);

    private static void WaitGroup(Warp warp, Instruction* i, uint mask) => warp.Copies.Wait(warp, i, mask, i->Target);

    private static void WaitAll(Warp warp, Instruction* i, uint mask) => warp.Copies.Wait(warp, i, mask, -1);
}
