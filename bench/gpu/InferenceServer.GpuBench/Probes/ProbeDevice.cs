using System.Diagnostics.CodeAnalysis;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.GpuBench.Probes;

/// <summary>An open device with both libraries of kernels and a stream to measure on. Used by one thread.</summary>
internal sealed class ProbeDevice : IDisposable
{
    private readonly CubinCache _cache;
    private KernelLibrary _own;

    /// <param name="cache">Folder of assembled kernels; null: none.</param>
    public ProbeDevice(DriverApi api, int device, string? cache, ProbeSizes sizes)
    {
        Sizes = sizes;
        Context = CudaContext.Open(api, device);
        _cache = new CubinCache(cache);
        Load();
    }

    public ProbeSizes Sizes { get; }

    public CudaContext Context { get; }

    /// <summary>The engine's kernels.</summary>
    public KernelLibrary Kernels { get; private set; }

    public CudaStream Stream { get; private set; }

    public DeviceTimer Timer { get; private set; }

    /// <summary>A kernel of bench/gpu/probe.cu.</summary>
    public CudaFunction Probe<TParams>(string name)
        where TParams : unmanaged => _own.Function<TParams>(name);

    /// <summary>Whether a kernel's fault has poisoned the context: every call answers with it, and what was allocated is gone.</summary>
    public bool IsLost()
    {
        try
        {
            Context.MemGetInfo();
            return false;
        }
        catch (CudaException)
        {
            return true; // whatever it says, the device has to be started afresh
        }
    }

    /// <summary>Starts the device afresh if it is lost, so that one kernel's fault costs one figure and not all that follow.</summary>
    public void Recover()
    {
        if (!IsLost()) return;
        Context.Reset();
        Load();
    }

    public DeviceBuffer Allocate(long bytes, string what) => new(Context, bytes, what);

    /// <summary>Memory full of small random numbers that are finite in bf16: zeros run faster than what real data will.</summary>
    public DeviceBuffer Random(long bytes, string what)
    {
        const int Chunk = 16 << 20;
        DeviceBuffer buffer = new(Context, bytes, what);
        using PinnedBuffer chunk = new(Context, Math.Min(bytes, Chunk), "Random numbers");
        Span<ushort> values = chunk.Span<ushort>(0, (int)(chunk.Bytes / 2));
        Random random = new(1);
        for (int i = 0; i < values.Length; i++) values[i] = (ushort)(BitConverter.SingleToUInt32Bits((random.NextSingle() - 0.5f) * 0.1f) >> 16);
        for (long offset = 0; offset < bytes; offset += chunk.Bytes) Stream.CopyToDevice(buffer.Address + (ulong)offset, chunk, 0, Math.Min(chunk.Bytes, bytes - offset));
        Stream.Synchronize();
        return buffer;
    }

    public void Dispose()
    {
        Timer.Dispose();
        Stream.Dispose();
        _own.Dispose();
        Kernels.Dispose();
        Context.Dispose();
    }

    [MemberNotNull(nameof(Kernels), nameof(_own), nameof(Stream), nameof(Timer))]
    private void Load()
    {
        Kernels = new KernelLibrary(Context, cache: _cache);
        _own = new KernelLibrary(Context, PackedKernels.Probe, _cache);
        Stream = new CudaStream(Context);
        Timer = new DeviceTimer(Stream, Sizes);
    }
}
