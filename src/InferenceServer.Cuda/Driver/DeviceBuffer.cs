namespace InferenceServer.Cuda.Driver;

/// <summary>Memory of the device, as the driver gives it: 512-byte aligned, contents undefined. One owner frees it.</summary>
internal sealed unsafe class DeviceBuffer : IDisposable
{
    private readonly CudaContext _context;
    private readonly int _generation;

    /// <param name="bytes">More than 0.</param>
    /// <param name="what">Names it in the error sentence, e.g. "The KV cache".</param>
    /// <exception cref="CudaException">Out of memory: what was asked, what is free, which flag helps.</exception>
    public DeviceBuffer(CudaContext context, long bytes, string what)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        _context = context;
        _generation = context.Generation;
        ulong address;
        CudaError result = context.Api.MemAlloc(&address, (nuint)bytes);
        if (result == CudaError.OutOfMemory)
        {
            (long free, long total) = context.MemGetInfo();
            throw new CudaException("cuMemAlloc", result, context.Api.ErrorName(result),
                $"{what} needs {Mebibytes(bytes)} of GPU memory; {Mebibytes(free)} of {Mebibytes(total)} are free. Lower --gpu-memory, choose a smaller model, or end what else uses the GPU.");
        }

        context.Check(result, "cuMemAlloc");
        Address = address;
        Bytes = bytes;
    }

    /// <summary>Where it begins on the device.</summary>
    public ulong Address { get; private set; }

    public long Bytes { get; }

    public void Dispose()
    {
        if (Address != 0 && _generation == _context.Generation) _ = _context.Api.MemFree(Address); // answers with the context's fault, if it has one
        Address = 0;
    }

    private static string Mebibytes(long bytes) => $"{bytes / 1048576.0:F0} MiB";
}
