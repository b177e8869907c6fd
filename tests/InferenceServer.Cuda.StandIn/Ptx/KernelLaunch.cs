namespace InferenceServer.Cuda.StandIn.Ptx;

/// <summary>One launch as the driver hands it over: geometry, dynamic shared memory, the bytes of the kernel's parameters.</summary>
internal sealed class KernelLaunch
{
    public required PtxKernel Kernel { get; init; }
    public uint GridX { get; init; } = 1;
    public uint GridY { get; init; } = 1;
    public uint GridZ { get; init; } = 1;
    public uint BlockX { get; init; } = 1;
    public uint BlockY { get; init; } = 1;
    public uint BlockZ { get; init; } = 1;
    public int DynamicSharedBytes { get; init; }
    public byte[] Parameters { get; init; } = [];
    /// <summary>Decides the order in which blocks and the warps of a block run.</summary>
    public int Seed { get; init; }

    public uint ThreadsPerBlock => BlockX * BlockY * BlockZ;
    public long Blocks => (long)GridX * GridY * GridZ;
}
