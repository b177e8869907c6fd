using InferenceServer.Cuda;
using InferenceServer.Cuda.Driver;
using InferenceServer.Options;

namespace InferenceServer.Hosting.Devices;

/// <summary>--device to a device. A GPU is opened here, for only opening it shows whether it can be used.</summary>
/// <param name="cuda">Null: the machine's own.</param>
internal sealed class DeviceChoice(CudaDoor? cuda = null)
{
    private readonly CudaDoor _cuda = cuda ?? new CudaDoor();

    /// <exception cref="StartupException">The GPU asked for by name cannot be used: why, and what to do.</exception>
    public IModelDevice Choose(ServerOptions options, ILogger logger)
    {
        DeviceName name = NameOf(options);
        if (name.Kind == DeviceKind.Cpu) return new CpuDevice();
        try
        {
            return new GpuDevice(name.Index, _cuda, _cuda.Open(name.Index, text => GpuLog.Driver(logger, text)));
        }
        catch (CudaUnavailableException e) when (name.Kind == DeviceKind.Auto)
        {
            GpuLog.NotUsed(logger, e.Message);
            return new CpuDevice();
        }
        catch (CudaUnavailableException e)
        {
            throw new StartupException(e.Message, e);
        }
    }

    /// <summary>A line each on the driver and the GPUs, for doctor.</summary>
    public IReadOnlyList<string> Report() => _cuda.Report();

    /// <summary>What <see cref="Choose"/> would answer, in words, and whether a start would get past it.</summary>
    public (string Answer, bool Usable) Explain(ServerOptions options)
    {
        DeviceName name = NameOf(options);
        if (name.Kind == DeviceKind.Cpu) return ("cpu", true);
        try
        {
            using CudaDevice device = _cuda.Open(name.Index, static _ => { });
            return ($"cuda:{name.Index} ({device.Name})", true);
        }
        catch (CudaUnavailableException e)
        {
            return name.Kind == DeviceKind.Auto ? ($"cpu, for no GPU can be used. {e.Message}", true) : ($"cannot be used. {e.Message}", false);
        }
    }

    private static DeviceName NameOf(ServerOptions options) =>
        DeviceName.TryParse(options.Model.Device, out DeviceName name) ? name : throw new StartupException($"--device is '{options.Model.Device}'; expected auto, cpu, cuda or a numbered GPU such as cuda:1.");
}
