namespace InferenceServer.Cuda.Driver;

/// <summary>A mark in a stream: others wait for it, the host asks for it, and two of them measure time. Nothing here allocates.</summary>
internal sealed unsafe class CudaEvent : IDisposable
{
    private readonly CudaContext _context;
    private readonly int _generation;

    /// <param name="timing">Whether <see cref="MillisecondsSince"/> will be asked; marks without are cheaper.</param>
    /// <param name="blocking">The host sleeps in <see cref="Synchronize"/> instead of spinning: some microseconds later, and no processor burnt.</param>
    public CudaEvent(CudaContext context, bool timing = false, bool blocking = false)
    {
        _context = context;
        _generation = context.Generation;
        EventFlags flags = (timing ? EventFlags.Default : EventFlags.DisableTiming) | (blocking ? EventFlags.BlockingSync : EventFlags.Default);
        nint handle;
        context.Check(context.Api.EventCreate(&handle, flags), "cuEventCreate");
        Handle = handle;
    }

    internal nint Handle { get; private set; }

    /// <summary>Marks this place in the stream.</summary>
    public void Record(CudaStream stream) => _context.Check(_context.Api.EventRecord(Handle, stream.Handle), "cuEventRecord");

    /// <summary>Asks, without waiting, whether the place marked last has been passed. True if none was.</summary>
    public bool IsDone()
    {
        CudaError result = _context.Api.EventQuery(Handle);
        if (result == CudaError.NotReady) return false;
        _context.Check(result, "cuEventQuery");
        return true;
    }

    /// <summary>Blocks until the place marked last has been passed.</summary>
    public void Synchronize() => _context.Check(_context.Api.EventSynchronize(Handle), "cuEventSynchronize");

    /// <summary>Device time from the earlier mark to this one. Both must be done and have timing.</summary>
    public float MillisecondsSince(CudaEvent earlier)
    {
        float milliseconds;
        _context.Check(_context.Api.EventElapsedTime(&milliseconds, earlier.Handle, Handle), "cuEventElapsedTime");
        return milliseconds;
    }

    public void Dispose()
    {
        if (Handle != 0 && _generation == _context.Generation) _ = _context.Api.EventDestroy(Handle); // answers with the context's fault, if it has one
        Handle = 0;
    }
}
