namespace InferenceServer.Cuda.Driver;

/// <summary>Page-locked host memory: what asynchronous copies read and write. Contents start undefined. One owner frees it.</summary>
internal sealed unsafe class PinnedBuffer : IDisposable
{
    private readonly CudaContext _context;
    private readonly int _generation;

    /// <param name="bytes">More than 0.</param>
    /// <param name="what">Names it in the error sentence.</param>
    /// <exception cref="CudaException">The machine refused to lock that much.</exception>
    public PinnedBuffer(CudaContext context, long bytes, string what)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        _context = context;
        _generation = context.Generation;
        void* pointer;
        CudaError result = context.Api.MemHostAlloc(&pointer, (nuint)bytes, 0);
        if (result == CudaError.OutOfMemory)
            throw new CudaException("cuMemHostAlloc", result, context.Api.ErrorName(result),
                $"{what} needs {bytes / 1048576.0:F1} MiB of page-locked host memory, which the machine refused. Free memory, or raise the container's memory limit.");

        context.Check(result, "cuMemHostAlloc");
        Pointer = (byte*)pointer;
        Bytes = bytes;
    }

    public byte* Pointer { get; private set; }

    public long Bytes { get; }

    /// <summary>A part of it as elements.</summary>
    /// <param name="offset">In bytes.</param>
    /// <param name="count">In elements.</param>
    public Span<T> Span<T>(long offset, int count)
        where T : unmanaged
    {
        CheckRange(offset, (long)count * sizeof(T));
        return new Span<T>(Pointer + offset, count);
    }

    /// <summary>Throws unless offset and length, in bytes, lie inside.</summary>
    public void CheckRange(long offset, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, Bytes - offset);
    }

    public void Dispose()
    {
        if (Pointer != null && _generation == _context.Generation) _ = _context.Api.MemFreeHost(Pointer); // answers with the context's fault, if it has one
        Pointer = null;
    }
}
