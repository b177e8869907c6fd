using InferenceServer.Core.Stepping;
using InferenceServer.Cuda;

namespace InferenceServer.Hosting.Devices;

/// <summary>What the host takes of InferenceServer.Cuda, as one thing, so that tests can put a stand-in's driver behind it. Immutable.</summary>
internal sealed record CudaDoor
{
    /// <summary>Opens a GPU by its index; the second argument is told what the assembler of kernels has to say.</summary>
    public Func<int, Action<string>, CudaDevice> Open { get; init; } = static (index, log) => CudaDevice.Open(index, log);

    /// <summary>The backend owns the device from then on, unless this throws.</summary>
    public Func<CudaDevice, CudaOptions, ISampler, CudaBackend> CreateBackend { get; init; } = static (device, options, sampler) => new CudaBackend(device, options, sampler);

    /// <summary>What doctor prints of the driver and the GPUs.</summary>
    public Func<IReadOnlyList<string>> Report { get; init; } = CudaDoctor.Report;
}
