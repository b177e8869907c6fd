namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>What an instruction does to the control flow of its warp.</summary>
internal enum Flow : byte
{
    /// <summary>Works on each lane alone and goes on with the next instruction.</summary>
    Next,
    Branch,
    /// <summary>Its lanes end.</summary>
    Exit,
    /// <summary>Lanes exchange data: all members named by the last operand must have arrived.</summary>
    Members,
    /// <summary>All lanes of the warp must have arrived.</summary>
    Aligned,
    /// <summary>As <see cref="Aligned"/>; the warp then waits for other warps of the block.</summary>
    Barrier,
}
