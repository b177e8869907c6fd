namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>What one executor counted in the current launch; an instruction's row has its executions, requests, wavefronts or sectors, and the ideal.</summary>
internal sealed unsafe class ExecutionProfile
{
    private long[] _rows = [];

    public long WarpInstructions;
    public long LaneInstructions;
    /// <summary>Executions per instruction; null when not asked for.</summary>
    public long* Executed { get; private set; }
    public long* Requests { get; private set; }
    public long* Transfers { get; private set; }
    public long* Ideal { get; private set; }

    public void Prepare(int instructions, bool asked)
    {
        WarpInstructions = LaneInstructions = 0;
        if (!asked) return;
        if (_rows.Length < 4 * instructions) _rows = GC.AllocateArray<long>(4 * instructions, pinned: true);
        Array.Clear(_rows);
        Executed = (long*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref _rows[0]);
        Requests = Executed + instructions;
        Transfers = Requests + instructions;
        Ideal = Transfers + instructions;
    }

    /// <summary>Counts a request of the lanes of a mask: sectors of 32 bytes in global memory, wavefronts over 32 banks in shared memory.</summary>
    public void Count(Warp warp, Instruction* i, uint mask, int addressOperand, int bytes)
    {
    }
}
