namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>The sixteen barriers of a block, and who waits at which.</summary>
internal sealed unsafe class BlockBarriers(BlockExecutor block)
{
    public const int Count = 16;
    private readonly Barrier[] _barriers = new Barrier[Count];

    private struct Barrier
    {
        /// <summary>Warps that arrived, whether they wait or not.</summary>
        public uint Arrived;
        public uint Waiting;
        /// <summary>Warps it takes; 0: all that live.</summary>
        public int Expected;
        /// <summary>Where the first of them arrived.</summary>
        public int Instruction;
    }

    public void StartBlock() => Array.Clear(_barriers);

    /// <param name="threads">The count operand; 0 for all threads of the block.</param>
    public void Arrive(Warp warp, Instruction* i, uint id, uint threads, bool wait)
    {
        if (id >= Count) warp.Fault(i, 0, $"there is no barrier {id}");
        if (threads % 32 != 0) warp.Fault(i, 0, $"a barrier of {threads} threads: only whole warps take part");
        ref Barrier barrier = ref _barriers[id];
        if (barrier.Arrived == 0)
        {
            barrier.Expected = (int)threads / 32;
            barrier.Instruction = block.Launch.Kernel.Code.IndexOf(i);
        }
        else if (barrier.Expected != (int)threads / 32) warp.Fault(i, 0, $"barrier {id} awaits {32 * barrier.Expected} threads, this warp says {threads}");
        if ((barrier.Arrived >> warp.Index & 1) != 0) warp.Fault(i, 0, $"the warp arrives a second time at barrier {id} before it completed");
        barrier.Arrived |= 1u << warp.Index;
        block.Shared.Arrive(warp.Index);
        if (!wait) return;
        barrier.Waiting |= 1u << warp.Index;
        warp.Status = WarpStatus.AtBarrier;
    }

    /// <summary>Releases the warps of every barrier that is complete.</summary>
    public void Complete()
    {
        uint live = 0;
        foreach (Warp warp in block.Warps)
            if (warp.Status != WarpStatus.Done) live |= 1u << warp.Index;
        for (int id = 0; id < Count; id++)
        {
            ref Barrier barrier = ref _barriers[id];
            if (barrier.Arrived == 0) continue;
            bool complete = barrier.Expected == 0 ? (live & ~barrier.Arrived) == 0 : uint.PopCount(barrier.Arrived) >= barrier.Expected;
            if (!complete) continue;
            block.Shared.Synchronise(barrier.Arrived, barrier.Waiting, (live & ~barrier.Waiting) == 0);
            foreach (Warp warp in block.Warps)
                if ((barrier.Waiting >> warp.Index & 1) != 0) warp.Status = WarpStatus.Ready;
            barrier = default;
        }
    }

    public bool AllDone()
    {
        foreach (Warp warp in block.Warps)
            if (warp.Status != WarpStatus.Done) return false;
        return true;
    }

    /// <summary>No warp can run: names a barrier that will never complete.</summary>
    public void FaultStuck()
    {
        for (int id = 0; id < Count; id++)
        {
            ref Barrier barrier = ref _barriers[id];
            if (barrier.Waiting == 0) continue;
            string missing = barrier.Expected == 0 ? "all warps" : $"{barrier.Expected} warps";
            Warp first = block.Warps[System.Numerics.BitOperations.TrailingZeroCount(barrier.Waiting)];
            block.Fault(first, barrier.Instruction, 0, $"barrier {id} never completes: warps {barrier.Arrived:x} arrived, it takes {missing}, and no other warp can run");
        }
    }
}
