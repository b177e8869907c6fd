using InferenceServer.Cuda.Blas;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda;

/// <summary>
/// One GPU, opened, with this assembly's kernels ready to load. A <see cref="CudaBackend"/> made from it owns it. After a fault the device is lost
/// to whoever holds it; dispose it and open it again, in the same process.
/// </summary>
public sealed class CudaDevice : IDisposable
{
    private bool _disposed;

    private CudaDevice(int index, CudaContext context, KernelLibrary kernels, CublasLtApi? blas)
    {
        Blas = blas;
        Index = index;
        Context = context;
        Kernels = kernels;
    }

    /// <summary>From 0, as CUDA_VISIBLE_DEVICES leaves them.</summary>
    public int Index { get; }

    /// <summary>E.g. "NVIDIA H200".</summary>
    public string Name => Context.Name;

    /// <summary>Of the device, whoever uses it.</summary>
    public long TotalBytes => Context.TotalMemory;

    /// <summary>Free now, other processes counted.</summary>
    public long FreeBytes
    {
        get
        {
            Context.MakeCurrent();
            return Context.MemGetInfo().Free;
        }
    }

    internal CudaContext Context { get; }

    internal KernelLibrary Kernels { get; }

    /// <summary>Null where the machine has no cuBLASLt: our own products then do its work.</summary>
    internal CublasLtApi? Blas { get; }

    /// <summary>Opens a GPU by the machine's driver, and makes it current on this thread.</summary>
    /// <param name="index">From 0.</param>
    /// <param name="log">Told what the assembler of kernels and its cache have to say.</param>
    /// <exception cref="CudaUnavailableException">A sentence for the operator: no driver, no such device, too old, built without kernels.</exception>
    public static CudaDevice Open(int index, Action<string>? log = null)
    {
        DriverApi api = DriverApi.Load();
        return Open(api, index, log: log, blas: CublasLtApi.TryLoad(api.Version));
    }

    internal static CudaDevice Open(DriverApi api, int index, KernelSource? source = null, CubinCache? cache = null, Action<string>? log = null, CublasLtApi? blas = null)
    {
        CudaContext context = CudaContext.Open(api, index);
        try
        {
            KernelLibrary kernels = new(context, source, cache, log);
            kernels.LoadAll();
            return new CudaDevice(index, context, kernels, blas);
        }
        catch
        {
            context.Dispose();
            throw;
        }
    }

    /// <summary>Gives everything back. What a fault left behind goes with a reset of the context.</summary>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        if (IsLost()) Context.Reset();
        Kernels.Dispose();
        Context.Dispose();
    }

    /// <summary>Whether an earlier fault poisoned the context: every call on it then answers with that fault.</summary>
    internal bool IsLost()
    {
        try
        {
            Context.MakeCurrent();
            Context.MemGetInfo();
            return false;
        }
        catch (CudaException)
        {
            return true; // whatever it says, nothing can be done with this context any more
        }
    }
}
