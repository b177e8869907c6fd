using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.StandIn.Driver;

/// <summary>
/// A CUDA driver without a GPU: the same table of functions, whose kernels an interpreter runs. What is enqueued runs only when somebody waits, and
/// then in a random order that streams and events allow, so that a missing event or a buffer reused too early gives wrong data.
/// The functions are plain C functions and know no instance: one stand-in lives at a time, and creating another waits until it is disposed.
/// </summary>
internal sealed class StandInDriver : IDisposable
{
    private static readonly SemaphoreSlim Alone = new(1, 1);

    private bool _disposed;

    private StandInDriver(StandInOptions options) => Device = new StandInDevice(options);

    /// <summary>The table that the server is given in place of the driver's.</summary>
    public DriverApi Api { get; private set; } = null!;

    /// <summary>What happened behind the table: memory, faults, counters, failures to inject.</summary>
    public StandInDevice Device { get; }

    internal static StandInDevice Current { get; private set; } = null!;

    public static StandInDriver Create(StandInOptions? options = null)
    {
        Alone.Wait();
        try
        {
            StandInDriver driver = new(options ?? new StandInOptions());
            Current = driver.Device;
            driver.Api = new DriverApi(StandInCalls.Export);
            return driver;
        }
        catch
        {
            Alone.Release();
            throw;
        }
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        Device.Dispose();
        Alone.Release();
    }
}
