using InferenceServer.Cuda.StandIn.Ptx;

namespace InferenceServer.Cuda.StandIn.Driver;

/// <summary>The machine that the stand-in pretends to be.</summary>
internal sealed record StandInOptions
{
    public int DriverVersion { get; init; } = 12080;

    public int DeviceCount { get; init; } = 1;

    public int ComputeMajor { get; init; } = 9;

    public int ComputeMinor { get; init; }

    public int Multiprocessors { get; init; } = 8;

    /// <summary>Of the device; more than is allocated costs nothing.</summary>
    public long MemoryBytes { get; init; } = 4L << 30;

    /// <summary>Decides in which legal order the work of several streams runs, and the order of blocks and warps.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Off: launches are taken and dropped, to measure what the host does.</summary>
    public bool ExecuteKernels { get; init; } = true;

    /// <summary>False: assembling answers as in a container without the driver's PTX compiler.</summary>
    public bool HasPtxCompiler { get; init; } = true;

    public InterpreterOptions Interpreter { get; init; } = new();
}
