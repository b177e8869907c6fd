using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>Branches, ends, barriers and fences.</summary>
internal static unsafe class ControlInstructions
{
    public static void Define(InstructionTable t)
    {
        t.Add("bra{,.uni}", "@", null, Flow.Branch);
        t.Add("ret{,.uni}", "", null, Flow.Exit);
        t.Add("exit", "", null, Flow.Exit);
        t.Add("trap", "", &Trap);
        t.Add("bar{,.cta}.sync", "u32,u32?", &Synchronise, Flow.Barrier, passesUndefined: false);
        t.Add("barrier{,.cta}.sync{,.aligned}", "u32,u32?", &Synchronise, Flow.Barrier, passesUndefined: false);
        t.Add("bar{,.cta}.arrive", "u32,u32", &Arrive, Flow.Barrier, passesUndefined: false);
        t.Add("barrier{,.cta}.arrive{,.aligned}", "u32,u32", &Arrive, Flow.Barrier, passesUndefined: false);
        t.Add("bar.warp.sync", "b32", &SynchroniseLanes, Flow.Members, passesUndefined: false);
        // Memory here is as strong as the host's, and blocks are whole programs of one thread: fences have nothing left to do.
        t.Add("membar.{cta,gl,sys}", "", &Nothing);
        t.Add("fence{,.sc,.acq_rel}.{cta,cluster,gpu,sys}", "", &Nothing);
        t.Add("fence.proxy.{alias,async,async.global,async.shared::cta}", "", &Nothing);
        t.Add("griddepcontrol.{wait,launch_dependents}", "", &Nothing);
        t.Add("nanosleep.u32", "u32", &Nothing);
    }

    private static void Nothing(Warp warp, Instruction* i, uint mask)
    {
    }

    private static void Trap(Warp warp, Instruction* i, uint mask) => warp.Fault(i, Warp.FirstLane(mask), "the kernel trapped");

    private static void Synchronise(Warp warp, Instruction* i, uint mask) =>
        warp.Block.Barriers.Arrive(warp, i, Uniform(warp, i, 0, mask), i->R[1] < 0 ? 0 : Uniform(warp, i, 1, mask), wait: true);

    private static void Arrive(Warp warp, Instruction* i, uint mask) =>
        warp.Block.Barriers.Arrive(warp, i, Uniform(warp, i, 0, mask), Uniform(warp, i, 1, mask), wait: false);

    private static void SynchroniseLanes(Warp warp, Instruction* i, uint mask)
    {
        WarpInstructions.CheckMembers(warp, i, 0, mask);
        warp.Block.Shared.SynchroniseLanes(warp.Index);
    }

    private static uint Uniform(Warp warp, Instruction* i, int operand, uint mask)
    {
        uint* row = warp.U32(i->R[operand]);
        uint value = row[Warp.FirstLane(mask)];
        for (int lane = 0; lane < 32; lane++)
            if ((mask >> lane & 1) != 0 && row[lane] != value) warp.Fault(i, lane, "the lanes of a warp name different barriers");
        return value;
    }
}
