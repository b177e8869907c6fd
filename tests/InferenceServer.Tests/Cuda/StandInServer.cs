using InferenceServer.Cuda;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.StandIn.Driver;
using InferenceServer.Hosting;
using InferenceServer.Hosting.Devices;
using InferenceServer.Options;
using InferenceServer.Tests.EndToEnd;

namespace InferenceServer.Tests.Cuda;

/// <summary>The whole server with --device cuda, on a driver whose kernels an interpreter runs.</summary>
internal sealed class StandInServer : IAsyncDisposable
{
    private readonly StandInDriver _driver;

    private StandInServer(StandInDriver driver, RunningServer server) => (_driver, Server) = (driver, server);

    public RunningServer Server { get; }

    public StandInDevice Device => _driver.Device;

    /// <summary>A driver, for tests that start nothing; skips where the build has no kernels.</summary>
    public static StandInDriver Driver(StandInOptions? options = null)
    {
        Assert.SkipUnless(KernelSource.Embedded.Archs.Any(), "This build has no CUDA kernels: clang was missing (apt-get install clang-19, and build again).");
        return StandInDriver.Create(options);
    }

    public static CudaDoor Door(StandInDriver driver) => new() { Open = (index, log) => CudaDevice.Open(driver.Api, index, cache: new CubinCache(null), log: log) };

    public static HostParts Parts(StandInDriver driver) => new()
    {
        ChooseDevice = new DeviceChoice(Door(driver)).Choose,
        Restarts = new RestartPolicy(TimeProvider.System, TimeSpan.FromMilliseconds(50)),
    };

    /// <param name="folder">Null: the demo model.</param>
    public static async Task<StandInServer> StartAsync(string? folder = null)
    {
        StandInDriver driver = Driver();
        try
        {
            return new StandInServer(driver, await RunningServer.StartAsync(o => Small(o, folder), Parts(driver)));
        }
        catch
        {
            driver.Dispose();
            throw;
        }
    }

    /// <summary>Sizes at which an interpreter is quick.</summary>
    public static ServerOptions Small(ServerOptions options, string? folder) => options with
    {
        Model = options.Model with { Path = folder ?? options.Model.Path, ServedName = "model", Device = "cuda", ContextLength = 256 },
        Kv = new KvOptions { Memory = 8 << 20 },
        Scheduler = options.Scheduler with { MaxRunning = 8, TokensPerStep = 64 },
    };

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        _driver.Dispose();
    }
}
