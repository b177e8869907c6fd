using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Handles;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Steps;

namespace InferenceServer.Cuda;

/// <summary>
/// A step from plan to results. All of it is enqueued on one stream, in this order: one copy of all inputs, block copies, the ops (or the graph
/// that stands for them), the copy of results, an event. The device's buffers are therefore one set; the host's are two, one a step in flight.
/// </summary>
public sealed partial class CudaBackend
{
    private StepSlot[] _slots = [];
    private StepBuffers? _buffers;
    private int _next; // the slot of the step that begins next
    private int _inFlight;
    private StepPlan? _plan; // of the open step
    private readonly StepPlan?[] _plans = new StepPlan?[2]; // of the slots' steps
    private CudaKvCache? _cache;
    private CudaActivation? _logits;
    private StepMode _mode;
    private int _bucket;
    private ulong _trace;

    private StepPlan Plan => _plan ?? throw new InvalidOperationException("No step is open: call BeginStep first.");

    private StepSlot Slot => _slots[_next];

    private StepBuffers Buffers => _buffers!;

    public void BeginStep(StepPlan plan, KvCache cache)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(plan);
        CudaKvCache own = Own<CudaKvCache>(cache);
        _context.MakeCurrent();
        if (_plan is not null) AbandonStep();
        if (_inFlight == MaxStepsInFlight) throw new InvalidOperationException($"{_inFlight} steps are in flight; collect the oldest first.");
        _upload.Finish();
        Prepare(own);
        PlanCheck.Check(plan, own.Shape, _options);
        _bucket = _graphs.BucketOf(plan);
        _mode = _graphs.ModeOf(_bucket);
        Slot.Label.Set(plan, _bucket, _mode);
        _context.Work = Slot.Label;

        StepLayout layout = new(Math.Max(plan.TokenCount, _bucket), Math.Max(plan.RowCount, _bucket));
        Slot.Begin(plan, layout);
        int bytes = Buffers.Writer.Write(plan, layout, Slot.Input);
        _stream.CopyToDevice(Buffers.Input, Slot.Input, 0, bytes);
        (_plan, _plans[_next], _cache, _logits, _trace) = (plan, plan, own, null, 0);
        if (plan.CopyCount > 0) CopyBlocks(plan.CopyCount, own);
        if (_mode == StepMode.Capture) CudaGraph.Begin(_stream);
    }

    public void EndStep()
    {
        StepPlan plan = Plan;
        if (_mode == StepMode.Capture) _graphs.Keep(_bucket, CudaGraph.End(_stream), _trace);
        if (_mode == StepMode.Eager) _graphs.RanEagerly(_bucket);
        else _graphs.Launch(_bucket, _stream, _trace);
        _plan = null; // from here on the stream is no longer capturing
        if (_logits is not null) Slot.Fetch(_stream, plan.RowCount, Buffers.Results, _logits.Address, _logits.Columns, _logits.RowBytes);
        Slot.Done.Record(_stream);
        _next ^= 1;
        _inFlight++;
    }

    public void Collect(StepResult result)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(result);
        if (_inFlight == 0) throw new InvalidOperationException("No step is in flight: end one first.");
        int oldest = _inFlight == 1 ? _next ^ 1 : _next;
        StepSlot slot = _slots[oldest];
        if (slot.RowsSampled > result.Rows.Length)
            Refuse($"Collect: the plan has {slot.RowsSampled} rows; there is room for {result.Rows.Length} results.");
        _context.MakeCurrent();
        _context.Work = slot.Label;
        slot.Done.Synchronize();
        _inFlight--;
        slot.Read(_plans[oldest]!, _hostSampler, result);
    }

    /// <summary>An op of the open step: whether its kernels are to be launched. Ops and their buffers are the step's trace, which a graph must match.</summary>
    private bool Launches(int op, CudaActivation written)
    {
        if (_plan is null) _upload.Finish(); // an op outside a step may be the first to read what was loaded
        _trace = (_trace * 31) + (ulong)op + written.Address;
        return _plan is null || _mode != StepMode.Replay;
    }

    /// <summary>Rows that kernels compute: in a bucket those beyond the batch too.</summary>
    private int Padded(int rows) => _plan is not null && _bucket > 0 && rows == _plan.TokenCount ? _bucket : rows;

    /// <summary>Step buffers, once everything is known that they depend on.</summary>
    private void Prepare(CudaKvCache cache)
    {
        if (_buffers is not null && _buffers.Fits(cache.Shape, _vocabulary)) return;
        if (_inFlight > 0) throw new InvalidOperationException("A step was begun on another cache while one is in flight; collect it first.");
        foreach (StepSlot slot in _slots) slot.Dispose();
        _buffers = new StepBuffers(_workspace, _options, cache.Shape, _vocabulary, _context.SmCount);
        _slots = [new StepSlot(_context, _buffers.InputBytes, _options.MaxRowsPerStep), new StepSlot(_context, _buffers.InputBytes, _options.MaxRowsPerStep)];
    }

    /// <summary>A step that failed half-way is given up: its inputs may still be on their way, and its stream may be capturing.</summary>
    private void AbandonStep()
    {
        if (_mode == StepMode.Capture) CudaGraph.Abandon(_stream);
        _plan = null;
        _stream.Synchronize();
    }

    private void CopyBlocks(int copies, CudaKvCache cache) => _kernels.CopyBlocks(new CopyParams
    {
        Cache = cache.Address,
        Pairs = Buffers.Input + (ulong)Buffers.Writer.Offsets.Copies,
        PlaneBytes = (ulong)cache.PlaneBytes,
        BlockBytes = (ulong)cache.BlockBytes,
    }, copies, cache.Planes);
}
