using InferenceServer.Cuda.StandIn.Ptx.Parsing;
using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx;

/// <summary>An entry point of a module, ready to run.</summary>
internal sealed class PtxKernel
{
    public required string Name { get; init; }
    public required PtxModule Module { get; init; }
    public required IReadOnlyList<PtxParam> Params { get; init; }
    public required int ParameterBytes { get; init; }
    /// <summary>The most threads a block may have, by .maxntid or .reqntid.</summary>
    public required int MaxThreads { get; init; }
    public required int LocalBytes { get; init; }
    public required SharedLayout Shared { get; init; }
    public required InstructionStream Code { get; init; }

    public int StaticSharedBytes => Shared.StaticBytes;
    public bool UsesDynamicShared => Shared.DynamicAlign > 0;
}
