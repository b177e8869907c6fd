using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Memory;

namespace InferenceServer.Cuda.Steps;

/// <summary>The kernels of one model's precision, each launch on the step's stream. Which kernel serves how many rows is decided here.</summary>
internal sealed class StepKernels : IDisposable
{
    private readonly CudaDevice _device;

    public StepKernels(CudaDevice device, CudaOptions options, CudaStream stream, DeviceArena workspace)
    {
        _device = device;
        Absent();
    }

    public string Description => $"own GEMM, {_device.Kernels.Arch}";

    public static long Bytes(CudaModelSizes model, CudaOptions limits) =>
        DeviceArena.Align((long)limits.MaxTokensPerStep * 2 * Handles.CudaActivation.PaddedColumns(model.IntermediateSize) * sizeof(ushort));

    public void Embed(in EmbedParams p, int tokens) => Absent();

    public void Norm(in NormParams p, int rows) => Absent();

    public void Linear(in LinearParams p) => Absent();

    public void GateUp(in GateUpParams p) => Absent();

    public void Rope(in RopeParams p) => Absent();

    public void Decode(in DecodeParams p, int bucket) => Absent();

    public void Prefill(in PrefillParams p, int items) => Absent();

    public void SelectRows(in SelectParams p, int rows) => Absent();

    public void CopyBlocks(in CopyParams p, int copies, int planes) => Absent();

    public void Sample(in SampleParams p, int rows) => Absent();

    public void Dispose() => Absent();

    private void Absent() => throw new NotSupportedException($"The kernels for {_device.Name} are not part of this build yet.");
}
