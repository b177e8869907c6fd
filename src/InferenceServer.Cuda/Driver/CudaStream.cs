namespace InferenceServer.Cuda.Driver;

/// <summary>
/// A queue of work on the device. Everything enqueued here returns at once and runs later, in order; host memory handed over must stay
/// put and unchanged until the work is known to be done. Nothing here allocates. One thread enqueues at a time.
/// </summary>
internal sealed unsafe class CudaStream : IDisposable
{
    private readonly int _generation;

    public CudaStream(CudaContext context)
    {
        Context = context;
        _generation = context.Generation;
        nint handle;
        context.Check(context.Api.StreamCreate(&handle, StreamFlags.NonBlocking), "cuStreamCreate");
        Handle = handle;
    }

    public CudaContext Context { get; }

    internal nint Handle { get; private set; }

    /// <summary>Host to device. Only page-locked memory makes it asynchronous.</summary>
    public void CopyToDevice(ulong destination, void* source, long bytes) =>
        Context.Check(Context.Api.MemcpyHtoDAsync(destination, source, (nuint)bytes, Handle), "cuMemcpyHtoDAsync");

    /// <inheritdoc cref="CopyToDevice(ulong, void*, long)"/>
    public void CopyToDevice(ulong destination, PinnedBuffer source, long offset, long bytes)
    {
        source.CheckRange(offset, bytes);
        CopyToDevice(destination, source.Pointer + offset, bytes);
    }

    /// <summary>Device to host. Only page-locked memory makes it asynchronous.</summary>
    public void CopyToHost(void* destination, ulong source, long bytes) =>
        Context.Check(Context.Api.MemcpyDtoHAsync(destination, source, (nuint)bytes, Handle), "cuMemcpyDtoHAsync");

    /// <inheritdoc cref="CopyToHost(void*, ulong, long)"/>
    public void CopyToHost(PinnedBuffer destination, long offset, ulong source, long bytes)
    {
        destination.CheckRange(offset, bytes);
        CopyToHost(destination.Pointer + offset, source, bytes);
    }

    /// <summary>Device to device; the ranges must not overlap.</summary>
    public void Copy(ulong destination, ulong source, long bytes) =>
        Context.Check(Context.Api.MemcpyDtoDAsync(destination, source, (nuint)bytes, Handle), "cuMemcpyDtoDAsync");

    /// <summary>Fills bytes.</summary>
    public void Fill(ulong destination, byte value, long bytes) =>
        Context.Check(Context.Api.MemsetD8Async(destination, value, (nuint)bytes, Handle), "cuMemsetD8Async");

    /// <summary>Fills 32-bit words.</summary>
    public void Fill32(ulong destination, uint value, long count) =>
        Context.Check(Context.Api.MemsetD32Async(destination, value, (nuint)count, Handle), "cuMemsetD32Async");

    /// <summary>What is enqueued here from now on runs after what <paramref name="e"/> recorded last.</summary>
    public void Wait(CudaEvent e) => Context.Check(Context.Api.StreamWaitEvent(Handle, e.Handle, 0), "cuStreamWaitEvent");

    /// <summary>Blocks until everything enqueued so far is done. A fault of a kernel shows here.</summary>
    public void Synchronize() => Context.Check(Context.Api.StreamSynchronize(Handle), "cuStreamSynchronize");

    /// <summary>Asks, without waiting, whether everything enqueued so far is done.</summary>
    public bool IsIdle()
    {
        CudaError result = Context.Api.StreamQuery(Handle);
        if (result == CudaError.NotReady) return false;
        Context.Check(result, "cuStreamQuery");
        return true;
    }

    /// <summary>Between <see cref="CudaGraph.Begin"/> and its end, or invalidated by a call that cannot be captured.</summary>
    public bool IsCapturing()
    {
        CaptureStatus status;
        Context.Check(Context.Api.StreamIsCapturing(Handle, &status), "cuStreamIsCapturing");
        return status != CaptureStatus.None;
    }

    public void Dispose()
    {
        if (Handle != 0 && _generation == Context.Generation) _ = Context.Api.StreamDestroy(Handle); // answers with the context's fault, if it has one
        Handle = 0;
    }
}
