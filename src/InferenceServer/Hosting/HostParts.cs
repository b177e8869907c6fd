using InferenceServer.Hosting.Devices;
using InferenceServer.Options;

namespace InferenceServer.Hosting;

/// <summary>What a host is put together from besides its options. Tests put a stand-in's device or shorter delays in their place.</summary>
internal sealed record HostParts
{
    public Func<ServerOptions, ILogger, IModelDevice> ChooseDevice { get; init; } = new DeviceChoice().Choose;

    public RestartPolicy Restarts { get; init; } = new(TimeProvider.System);
}
