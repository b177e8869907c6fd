using InferenceServer.Cuda.StandIn.Ptx;

namespace InferenceServer.Cuda.StandIn.Driver;

/// <summary>An event: how often it was recorded, and which recording the device has reached.</summary>
internal sealed class StandInEvent
{
    public long Recorded { get; set; }

    public long Reached { get; set; }

    /// <summary>Stopwatch ticks when the last recording was reached.</summary>
    public long Timestamp { get; set; }
}

internal sealed class StandInModule(PtxModule ptx)
{
    public PtxModule Ptx { get; } = ptx;
}

/// <summary>A kernel as the driver hands it out.</summary>
internal sealed class StandInFunction(PtxKernel kernel)
{
    public PtxKernel Kernel { get; } = kernel;

    /// <summary>Raised by cuFuncSetAttribute.</summary>
    public int MaxDynamicSharedBytes { get; set; } = 48 << 10;
}

/// <summary>A captured graph, and an executable one: the same list of work.</summary>
internal sealed class StandInGraph(StreamWork[] nodes)
{
    public StreamWork[] Nodes { get; set; } = nodes;
}
