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
        if (bytes is not (4 or 8 or 16)) warp.Fault(i, 0, $"copies have 4, 8 or 16 bytes, not {bytes}");
        ulong* sources = stackalloc ulong[32];
        uint reading = 0;
        for (; mask != 0; mask &= mask - 1)
        {
            int lane = BitOperations.TrailingZeroCount(mask);
            ulong destination = warp.Address(i, 0, lane), source = warp.U64(i->R[1])[lane] + (ulong)i->Offset2;
            uint sourceBytes = i->R[2] < 0 ? (uint)bytes : warp.U32(i->R[2])[lane];
            if (sourceBytes > bytes) warp.Fault(i, lane, $"a source of {sourceBytes} bytes for a copy of {bytes}");
            if ((source & (ulong)(bytes - 1)) != 0) warp.Fault(i, lane, $"misaligned source of {bytes} bytes at global address 0x{source:x}");
            if (sourceBytes != 0)
            {
                warp.CheckGlobal(i, lane, source, (int)sourceBytes);
                sources[lane] = source;
                reading |= 1u << lane;
            }
            warp.Block.Shared.BeginCopy(warp, i, lane, destination, bytes);
            warp.Copies.Add(lane, (int)destination, source, bytes, (int)sourceBytes);
        }
        if (warp.Block.Profile.Requests != null && reading != 0) warp.Block.Profile.Count(warp.IndexOf(i), StateSpace.Global, reading, sources, bytes);
    }

    private static void Commit(Warp warp, Instruction* i, uint mask) => warp.Copies.Commit(mask);

    private static void WaitGroup(Warp warp, Instruction* i, uint mask) => warp.Copies.Wait(warp, i, mask, i->Target);

    private static void WaitAll(Warp warp, Instruction* i, uint mask) => warp.Copies.Wait(warp, i, mask, -1);
}
