namespace InferenceServer.Cuda.Driver;

/// <summary>
/// A sequence of launches and copies, captured from a stream and launched as one. It holds the addresses and parameters it was captured
/// with; buffers it names must outlive it. Launching allocates nothing.
/// </summary>
internal sealed unsafe class CudaGraph : IDisposable
{
    private readonly CudaContext _context;
    private readonly int _generation;
    private nint _executable;

    private CudaGraph(CudaContext context)
    {
        _context = context;
        _generation = context.Generation;
    }

    /// <summary>Launches and copies it holds.</summary>
    public int NodeCount { get; private set; }

    /// <summary>From here on the stream records instead of running.</summary>
    /// <remarks>Thread-local mode: what other threads do, e.g. loading weights, does not disturb it.</remarks>
    public static void Begin(CudaStream stream) =>
        stream.Context.Check(stream.Context.Api.StreamBeginCapture(stream.Handle, CaptureMode.ThreadLocal), "cuStreamBeginCapture");

    /// <summary>Ends a capture and makes it ready to launch.</summary>
    public static CudaGraph End(CudaStream stream)
    {
        CudaGraph graph = new(stream.Context);
        graph.Take(stream);
        return graph;
    }

    /// <summary>Captures what <paramref name="record"/> enqueues. If it throws, the capture is given up and the stream is as before.</summary>
    public static CudaGraph Capture(CudaStream stream, Action record)
    {
        Begin(stream);
        try
        {
            record();
        }
        catch
        {
            Abandon(stream);
            throw;
        }

        return End(stream);
    }

    /// <summary>Gives a capture up; the stream is then as before it.</summary>
    public static void Abandon(CudaStream stream)
    {
        nint recorded = 0;
        DriverApi api = stream.Context.Api;
        _ = api.StreamEndCapture(stream.Handle, &recorded); // a broken capture answers with why; what broke it is told by who broke it
        if (recorded != 0) _ = api.GraphDestroy(recorded);
    }

    /// <summary>Ends a capture and puts it in the place of what this graph held; cheap if only parameters differ.</summary>
    /// <returns>False if the shapes differed and the graph was made anew.</returns>
    public bool EndInto(CudaStream stream) => Take(stream);

    /// <summary>Moves it to the device ahead of its first launch.</summary>
    public void Upload(CudaStream stream) => _context.Check(_context.Api.GraphUpload(_executable, stream.Handle), "cuGraphUpload");

    public void Launch(CudaStream stream) => _context.Check(_context.Api.GraphLaunch(_executable, stream.Handle), "cuGraphLaunch");

    public void Dispose()
    {
        if (_executable != 0 && _generation == _context.Generation) _ = _context.Api.GraphExecDestroy(_executable); // answers with the context's fault, if it has one
        _executable = 0;
    }

    private bool Take(CudaStream stream)
    {
        DriverApi api = _context.Api;
        nint recorded;
        _context.Check(api.StreamEndCapture(stream.Handle, &recorded), "cuStreamEndCapture");
        try
        {
            nuint count = 0;
            _context.Check(api.GraphGetNodes(recorded, null, &count), "cuGraphGetNodes");
            NodeCount = (int)count;
            if (_executable != 0)
            {
                GraphUpdateResult why;
                if (api.GraphExecUpdate(_executable, recorded, &why) == CudaError.Success) return true;
                _context.Check(api.GraphExecDestroy(_executable), "cuGraphExecDestroy");
                _executable = 0;
            }

            nint executable;
            _context.Check(api.GraphInstantiateWithFlags(&executable, recorded, 0), "cuGraphInstantiate");
            _executable = executable;
            return false;
        }
        finally
        {
            _ = api.GraphDestroy(recorded); // the executable does not need it
        }
    }
}
