namespace InferenceServer.Cuda.StandIn.Ptx;

/// <summary>How kernels are run.</summary>
internal sealed record InterpreterOptions
{
    /// <summary>OS threads that blocks are spread over.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;
    /// <summary>Races, uninitialised and in-flight bytes of shared memory, uninitialised registers. Bounds and alignment are always checked.</summary>
    public bool Checks { get; init; } = true;
    /// <summary>Count executions, bank conflicts and sectors of every instruction.</summary>
    public bool Profile { get; init; }
    /// <summary>Warp instructions a warp may execute before its launch is called endless. The longest kernel of ours stays under a million.</summary>
    public long InstructionBudget { get; init; } = 50_000_000;
}
