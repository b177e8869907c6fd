namespace InferenceServer.Cuda.StandIn.Ptx;

/// <summary>What a kernel did wrong while it ran: the sentence names the kernel, block, warp, lane, PTX line and instruction.</summary>
internal sealed class PtxFault(string kernel, string block, int line, string instruction, string what)
    : Exception($"{kernel}: block {block}, PTX line {line}: {what} in `{instruction}`")
{
    public string Kernel { get; } = kernel;
    public string Block { get; } = block;
    public int Line { get; } = line;
    public string Instruction { get; } = instruction;
    /// <summary>The finding alone, without where it happened.</summary>
    public string What { get; } = what;
}
