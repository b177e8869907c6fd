using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Handles;
using InferenceServer.Cuda.Memory;
using InferenceServer.Cuda.Steps;

namespace InferenceServer.Cuda;

/// <summary>
/// The compute backend of one NVIDIA GPU: weights, keys and values in BF16 or F16, residual stream and logits in F32. Ops check their shapes and
/// enqueue kernels on one stream; steps of decodes are replayed as CUDA graphs; two steps may be in flight. Owned by one thread at a time.
/// Only loading and first steps allocate; a warm step does not. What an op computes for a token may differ in the last bits with the number of rows
/// beside it and with how its keys were split: this backend is not batch invariant bit for bit (README).
/// </summary>
public sealed partial class CudaBackend : IComputeBackend
{
    private readonly CudaDevice _device;
    private readonly CudaContext _context;
    private readonly CudaOptions _options;
    private readonly ISampler _hostSampler;
    private readonly CudaStream _stream;
    private readonly DeviceArena _weights;
    private readonly DeviceArena _kv;
    private readonly DeviceArena _workspace;
    private readonly WeightUpload _upload;
    private readonly StepKernels _kernels;
    private readonly StepGraphs _graphs;
    private bool _disposed;

    /// <param name="device">Owned by the backend from here on, unless this throws.</param>
    /// <param name="options">Precision and sizes.</param>
    /// <param name="hostSampler">Samples the few rows that the device's sampler cannot.</param>
    /// <exception cref="CudaUnavailableException">The kernels cannot be loaded.</exception>
    public CudaBackend(CudaDevice device, CudaOptions options, ISampler hostSampler)
        : this(device, options, hostSampler, new CudaTuning())
    {
    }

    internal CudaBackend(CudaDevice device, CudaOptions options, ISampler hostSampler, CudaTuning tuning)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(hostSampler);
        options.Check();
        (_device, _context, _options, _hostSampler) = (device, device.Context, options, hostSampler);
        _context.MakeCurrent();
        _weights = new DeviceArena(_context, "weights", options.WeightBytes, tuning.BuffersApart);
        _kv = new DeviceArena(_context, "kv", 0, tuning.BuffersApart);
        _workspace = new DeviceArena(_context, "workspace", options.WorkspaceBytes, tuning.BuffersApart);
        _upload = new WeightUpload(_context, options.Precision, tuning.StagingBytes);
        _graphs = new StepGraphs(tuning.Graphs ? Math.Min(options.MaxTokensPerStep, Math.Min(options.MaxSequencesPerStep, options.MaxRowsPerStep)) : 0);
        _stream = new CudaStream(_context);
        _kernels = new StepKernels(device, options, _stream, _workspace);
    }

    public string Name => $"cuda:{_device.Index}";

    public string Description
    {
        get
        {
            ArenaSnapshot[] memory = Memory();
            return $"{_device.Name}, compute capability {_context.ComputeCapability}, driver {DriverApi.VersionText(_context.DriverVersion)}, {_options.Precision}, {_kernels.Description}, "
                + string.Join(", ", memory.Select(a => $"{a.Name} {CudaMemoryException.Mebibytes(a.ReservedBytes)}"));
        }
    }

    public int MaxStepsInFlight => 2;

    /// <summary>Steps that were captured so far, one a bucket of batch sizes.</summary>
    internal int GraphCount => _graphs.Count;

    public bool CanFeedBack(in LogitsRow row) => row.Kind == LogitsRowKind.Sample && SampleRowWriter.OnDevice(in row);

    /// <summary>One row of an activation as f32, for tests and diagnostics. Waits for the device.</summary>
    public unsafe float[] ReadRow(Activation activation, int row)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CudaActivation own = Own<CudaActivation>(activation);
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, own.Rows);
        byte[] stored = new byte[own.Columns * own.ElementBytes];
        _context.MakeCurrent();
        fixed (byte* target = stored) _stream.CopyToHost(target, own.Address + (ulong)((long)row * own.RowBytes), stored.Length);
        _stream.Synchronize();
        float[] values = new float[own.Columns];
        StoredNumbers.Widen(stored, own.IsF32 ? ElementType.F32 : _options.Precision, values);
        return values;
    }

    /// <summary>Overwrites rows of an activation, for tests. Waits for the device.</summary>
    internal unsafe void WriteRows(Activation activation, IReadOnlyList<float[]> rows)
    {
        CudaActivation own = Own<CudaActivation>(activation);
        own.Rows = rows.Count;
        byte[] stored = new byte[own.RowBytes];
        _context.MakeCurrent();
        for (int r = 0; r < rows.Count; r++)
        {
            ReadOnlySpan<byte> row = MemoryMarshal.AsBytes(rows[r].AsSpan());
            if (own.IsF32) row.CopyTo(stored);
            else StoredNumbers.Narrow(row, ElementType.F32, MemoryMarshal.Cast<byte, ushort>(stored.AsSpan())[..own.Columns], _options.Precision);
            fixed (byte* source = stored) _stream.CopyToDevice(own.Address + (ulong)((long)r * own.RowBytes), source, stored.Length);
            _stream.Synchronize();
        }
    }

    /// <summary>What each arena holds now.</summary>
    internal ArenaSnapshot[] Memory() => [_weights.Snapshot(), _kv.Snapshot(), _workspace.Snapshot()];

    /// <summary>
    /// Frees all that was taken, on host and device. After a fault the driver answers every call with it; then the context is reset, which frees the
    /// device's side, and a new device can be opened in this process.
    /// </summary>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        if (_device.IsLost() || !IsQuiet()) _context.Reset();
        _graphs.Dispose();
        foreach (StepSlot slot in _slots) slot.Dispose();
        _upload.Dispose();
        _kernels.Dispose();
        _workspace.Dispose();
        _kv.Dispose();
        _weights.Dispose();
        _stream.Dispose();
        _device.Dispose();
    }

    /// <summary>Waits for what is still running; false if it ends in a fault.</summary>
    private bool IsQuiet()
    {
        try
        {
            if (_mode == StepMode.Capture && _plan is not null) CudaGraph.Abandon(_stream);
            _stream.Synchronize();
            return true;
        }
        catch (CudaException)
        {
            return false; // told already by the call that failed, or by nobody who still cares
        }
    }

    private static T Own<T>(object? handle)
        where T : class
    {
        if (handle is T own) return own;
        Refuse($"This op needs a {typeof(T).Name} of this backend; it was given {handle?.GetType().Name ?? "null"}.");
        return null;
    }

    [DoesNotReturn]
    private static void Refuse(string message) => throw new ArgumentException(message);
}
