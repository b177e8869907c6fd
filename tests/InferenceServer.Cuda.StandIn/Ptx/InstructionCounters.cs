namespace InferenceServer.Cuda.StandIn.Ptx;

internal enum MemoryKind : byte { None, Shared, Global }

/// <summary>What one PTX instruction did: how often a warp executed it, and what its memory requests cost.</summary>
/// <param name="Transfers">Wavefronts of shared memory, sectors of global memory.</param>
/// <param name="Ideal">The fewest transfers that could have moved the distinct bytes asked for.</param>
internal readonly record struct InstructionCounters(int Line, string Text, MemoryKind Memory, long Executed, long Requests, long Transfers, long Ideal);
