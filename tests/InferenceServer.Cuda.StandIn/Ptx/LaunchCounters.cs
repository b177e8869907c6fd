namespace InferenceServer.Cuda.StandIn.Ptx;

/// <summary>What the launches of one kernel added up to. Requests, wavefronts and sectors are counted when profiling is on.</summary>
internal sealed record LaunchCounters
{
    public long Launches { get; init; }
    public long WarpInstructions { get; init; }
    /// <summary>Lanes that took part, summed over the warp instructions.</summary>
    public long LaneInstructions { get; init; }
    /// <summary>One row an instruction, in the order of the text; empty unless profiling is on.</summary>
    public IReadOnlyList<InstructionCounters> Instructions { get; init; } = [];

    public long SharedRequests => Sum(MemoryKind.Shared, c => c.Requests);
    /// <summary>Passes through the 32 banks that shared requests took; equal to <see cref="SharedIdealWavefronts"/> without bank conflicts.</summary>
    public long SharedWavefronts => Sum(MemoryKind.Shared, c => c.Transfers);
    public long SharedIdealWavefronts => Sum(MemoryKind.Shared, c => c.Ideal);
    public long GlobalRequests => Sum(MemoryKind.Global, c => c.Requests);
    /// <summary>Sectors of 32 bytes that global requests touched.</summary>
    public long GlobalSectors => Sum(MemoryKind.Global, c => c.Transfers);
    public long GlobalIdealSectors => Sum(MemoryKind.Global, c => c.Ideal);

    private long Sum(MemoryKind kind, Func<InstructionCounters, long> count) => Instructions.Where(c => c.Memory == kind).Sum(count);
}
