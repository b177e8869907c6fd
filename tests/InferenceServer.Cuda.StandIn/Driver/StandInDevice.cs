using System.Diagnostics;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.StandIn.Ptx;

namespace InferenceServer.Cuda.StandIn.Driver;

/// <summary>The device behind the table: objects by handle, streams, and who runs when. Thread-safe: one lock around everything.</summary>
internal sealed unsafe class StandInDevice : IDisposable
{
    private readonly Dictionary<nint, object> _objects = [];
    private readonly List<StandInStream> _streams = [];
    private readonly Dictionary<string, (int Countdown, CudaError Code)> _injected = [];
    private readonly PtxInterpreter _interpreter;
    private readonly Random _random;
    private nint _nextHandle = 0x1000;

    public StandInDevice(StandInOptions options)
    {
        Options = options;
        Memory = new DeviceMemory(options.MemoryBytes);
        _interpreter = new PtxInterpreter(Memory, options.Interpreter);
        _random = new Random(options.Seed);
    }

    public StandInOptions Options { get; }

    public DeviceMemory Memory { get; }

    public Lock Gate { get; } = new();

    /// <summary>What every call answers until the context is reset; Success while all is well.</summary>
    public CudaError Sticky { get; private set; }

    /// <summary>The sentence behind <see cref="Sticky"/>.</summary>
    public string? LastFault { get; private set; }

    /// <summary>Why the last call was refused, if it was for a reason worth a sentence.</summary>
    public string? LastRefusal { get; set; }

    public long LaunchCount { get; private set; }

    /// <summary>Launches of each kernel.</summary>
    public Dictionary<string, int> Launches { get; } = [];

    /// <summary>Streams, events, modules and graphs that are alive.</summary>
    public int ObjectCount
    {
        get { lock (Gate) return _objects.Values.Count(o => o is not StandInFunction); }
    }

    public LaunchCounters Counters(string kernel) => _interpreter.Counters(kernel);

    public void ResetCounters() => _interpreter.ResetCounters();

    /// <summary>Makes the n-th call from now on fail, once.</summary>
    /// <param name="call">As exported, e.g. cuMemAlloc_v2.</param>
    public void Fail(string call, CudaError code, int nth = 1)
    {
        lock (Gate) _injected[call] = (nth, code);
    }

    /// <summary>Makes the device fault as a kernel would.</summary>
    public void Fault(CudaError code, string sentence)
    {
        lock (Gate) SetFault(code, sentence);
    }

    /// <summary>Whether a call may go on; else what it answers. The gate is held.</summary>
    public CudaError Enter(string call)
    {
        if (_injected.Count > 0 && _injected.TryGetValue(call, out (int Countdown, CudaError Code) injected))
        {
            if (injected.Countdown == 1)
            {
                _injected.Remove(call);
                if (CudaException.IsStickyError(injected.Code)) SetFault(injected.Code, $"{call} was made to fail");
                return injected.Code;
            }

            _injected[call] = (injected.Countdown - 1, injected.Code);
        }

        return Sticky;
    }

    public nint Add(object item)
    {
        nint handle = _nextHandle += 16;
        _objects.Add(handle, item);
        if (item is StandInStream stream) _streams.Add(stream);
        return handle;
    }

    public bool TryGet<T>(nint handle, out T item)
        where T : class
    {
        item = (_objects.TryGetValue(handle, out object? found) ? found as T : null)!;
        return item is not null;
    }

    public bool Remove<T>(nint handle)
        where T : class
    {
        if (!TryGet(handle, out T item)) return false;
        if (item is StandInStream stream)
        {
            Finish(stream); // destroying a stream lets its work complete
            _streams.Remove(stream);
        }

        return _objects.Remove(handle);
    }

    /// <summary>Whether some stream is captured: calls that would wait are refused then.</summary>
    public bool IsCapturing
    {
        get
        {
            foreach (StandInStream stream in _streams)
                if (stream.Capture is not null) return true;
            return false;
        }
    }

    /// <summary>Runs work until this stream has none.</summary>
    public void Finish(StandInStream stream)
    {
        while (stream.Count > 0 && Sticky == CudaError.Success && RunOne())
        {
        }
    }

    /// <summary>Runs work until the event's recording is reached.</summary>
    public void Reach(StandInEvent e, long recording)
    {
        while (e.Reached < recording && Sticky == CudaError.Success && RunOne())
        {
        }
    }

    /// <summary>Runs all work.</summary>
    public void FinishAll()
    {
        while (Sticky == CudaError.Success && RunOne())
        {
        }
    }

    /// <summary>One piece of work of a stream picked at random among those that may go on; false if there is none.</summary>
    public bool RunOne()
    {
        int ready = 0;
        StandInStream? picked = null;
        foreach (StandInStream stream in _streams)
            if (MayRun(stream) && _random.Next(++ready) == 0) picked = stream;
        if (picked is null) return false;
        StreamWork work = picked.Dequeue();
        try
        {
            Run(in work);
        }
        catch (PtxFault fault)
        {
            SetFault(fault.What.Contains("misaligned", StringComparison.Ordinal) ? CudaError.MisalignedAddress
                : fault.What.Contains("alloc", StringComparison.Ordinal) ? CudaError.IllegalAddress : CudaError.LaunchFailed, fault.Message);
        }

        return true;
    }

    /// <summary>Everything back to the state before the context was made.</summary>
    public void Reset()
    {
        foreach (StandInStream stream in _streams) stream.Clear();
        _streams.Clear();
        _objects.Clear();
        Memory.Clear();
        (Sticky, LastFault) = (CudaError.Success, null);
    }

    public void Dispose()
    {
        lock (Gate)
        {
            Reset();
            _interpreter.Dispose();
        }
    }

    private static bool MayRun(StandInStream stream) =>
        stream.Count > 0 && (stream.Head.Kind != StreamWorkKind.WaitEvent || stream.Head.Event!.Reached >= stream.Head.Recording);

    private void Run(in StreamWork work)
    {
        switch (work.Kind)
        {
            case StreamWorkKind.Launch:
                Launch(in work);
                break;
            case StreamWorkKind.CopyToDevice or StreamWorkKind.CopyToHost or StreamWorkKind.CopyOnDevice:
                if (!StillThere(in work)) break;
                Buffer.MemoryCopy((void*)work.Source, (void*)work.Destination, work.Bytes, work.Bytes);
                break;
            case StreamWorkKind.Fill8:
                if (StillThere(in work)) new Span<byte>((void*)work.Destination, checked((int)work.Bytes)).Fill((byte)work.Value);
                break;
            case StreamWorkKind.Fill32:
                if (StillThere(in work)) new Span<uint>((void*)work.Destination, checked((int)(work.Bytes / 4))).Fill(work.Value);
                break;
            case StreamWorkKind.RecordEvent:
                work.Event!.Reached = Math.Max(work.Event.Reached, work.Recording);
                work.Event.Timestamp = Stopwatch.GetTimestamp();
                break;
            case StreamWorkKind.MatrixProduct:
                work.Library!();
                break;
            default:
                break; // a wait whose event was reached
        }
    }

    /// <summary>What was enqueued is checked again when it runs: memory may have been freed in between.</summary>
    private bool StillThere(in StreamWork work)
    {
        bool toHost = work.Kind == StreamWorkKind.CopyToHost, fromHost = work.Kind == StreamWorkKind.CopyToDevice;
        bool source = work.Source == 0 || Memory.Holds(work.Source, work.Bytes, pinned: fromHost);
        bool destination = Memory.Holds(work.Destination, work.Bytes, pinned: toHost);
        if (source && destination) return true;
        SetFault(CudaError.IllegalAddress, $"{work.Kind}: its {(source ? "destination" : "source")} was freed before the copy ran");
        return false;
    }

    private void Launch(in StreamWork work)
    {
        PtxKernel kernel = work.Function!.Kernel;
        LaunchCount++;
        if (!Options.ExecuteKernels) return;
        Launches[kernel.Name] = Launches.GetValueOrDefault(kernel.Name) + 1;
        _interpreter.Run(new KernelLaunch
        {
            Kernel = kernel,
            GridX = work.GridX,
            GridY = work.GridY,
            GridZ = work.GridZ,
            BlockX = work.BlockX,
            BlockY = work.BlockY,
            BlockZ = work.BlockZ,
            DynamicSharedBytes = (int)work.SharedBytes,
            Parameters = work.CopyParameters(kernel.ParameterBytes),
            Seed = _random.Next(),
        });
    }

    private void SetFault(CudaError code, string sentence)
    {
        if (Sticky != CudaError.Success) return;
        (Sticky, LastFault) = (code, sentence);
        foreach (StandInStream stream in _streams) stream.Clear();
    }
}
