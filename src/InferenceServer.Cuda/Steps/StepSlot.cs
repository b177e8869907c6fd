using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Kernels;

namespace InferenceServer.Cuda.Steps;

/// <summary>
/// The host's side of one step in flight: its inputs as they are sent, its results as they come back, and the event that says that they did.
/// Nothing here is touched between the step's end and <see cref="Done"/>.
/// </summary>
internal sealed unsafe class StepSlot : IDisposable
{
    private readonly CudaContext _context;
    private readonly int[] _hostRows;
    private PinnedBuffer? _logits;
    private int _vocabulary;

    public StepSlot(CudaContext context, long inputBytes, int maxRows)
    {
        _context = context;
        _hostRows = new int[maxRows];
        Fed = new bool[maxRows];
        Input = new PinnedBuffer(context, inputBytes, "The inputs of a step");
        Results = new PinnedBuffer(context, (long)maxRows * sizeof(SampleOut), "The results of a step");
        Done = new CudaEvent(context); // not blocking: the engine waits here every step, and waking up costs more than spinning saves
    }

    public PinnedBuffer Input { get; }

    public PinnedBuffer Results { get; }

    public CudaEvent Done { get; }

    public StepLabel Label { get; } = new();

    public StepLayout Layout { get; private set; }

    /// <summary>(rows) Whose choice the device keeps for the next step's inputs.</summary>
    public bool[] Fed { get; }

    /// <summary>Rows that the step samples; 0 until it does.</summary>
    public int RowsSampled { get; private set; }

    public int HostRowCount { get; private set; }

    public void Begin(StepPlan plan, StepLayout layout)
    {
        Layout = layout;
        (RowsSampled, HostRowCount) = (0, 0);
        for (int r = 0; r < plan.RowCount; r++)
        {
            bool onDevice = SampleRowWriter.OnDevice(in plan.Rows[r]);
            Fed[r] = onDevice && plan.Rows[r].Kind == LogitsRowKind.Sample;
            if (!onDevice) _hostRows[HostRowCount++] = r;
        }
    }

    /// <summary>Enqueues the way back of results and of the logits that the host samples.</summary>
    /// <param name="results">On the device.</param>
    /// <param name="logits">On the device, (rows, stride) f32.</param>
    public void Fetch(CudaStream stream, int rows, ulong results, ulong logits, int vocabulary, int strideBytes)
    {
        RowsSampled = rows;
        stream.CopyToHost(Results, 0, results, (long)rows * sizeof(SampleOut));
        if (HostRowCount == 0) return;
        _vocabulary = vocabulary;
        long rowBytes = (long)vocabulary * sizeof(float);
        if (_logits is null || _logits.Bytes < HostRowCount * rowBytes)
        {
            _logits?.Dispose(); // nobody writes it: this slot's step before was collected
            _logits = null;
            _logits = new PinnedBuffer(_context, Math.Min(_hostRows.Length, 2 * HostRowCount) * rowBytes, "Rows of logits that the host samples");
        }

        for (int i = 0; i < HostRowCount; i++) stream.CopyToHost(_logits, i * rowBytes, logits + (ulong)((long)_hostRows[i] * strideBytes), rowBytes);
    }

    /// <summary>Fills one result a row, after <see cref="Done"/>.</summary>
    public void Read(StepPlan plan, ISampler hostSampler, StepResult result)
    {
        SampleOut* found = (SampleOut*)Results.Pointer;
        SampleRow* rows = (SampleRow*)(Input.Pointer + Layout.SampleRows);
        for (int r = 0; r < RowsSampled; r++)
        {
            if ((rows[r].Flags & SampleFlags.Skip) != 0) continue;
            bool asked = (rows[r].Flags & (SampleFlags.Logprob | SampleFlags.Score)) != 0, scored = (rows[r].Flags & SampleFlags.Score) != 0;
            ref SampleResult to = ref result.Rows[r];
            to.Failed = found[r].Failed != 0;
            to.Token = scored ? rows[r].Target : to.Failed ? -1 : found[r].Token;
            to.Logprob = asked && !to.Failed ? found[r].Logprob : float.NaN;
            to.Rank = asked && !to.Failed ? found[r].Rank : 0;
            to.TopCount = 0;
        }

        for (int i = 0; i < HostRowCount && RowsSampled > 0; i++)
        {
            int r = _hostRows[i];
            hostSampler.Sample(_logits!.Span<float>((long)i * _vocabulary * sizeof(float), _vocabulary), in plan.Rows[r], ref result.Rows[r]);
        }
    }

    public void Dispose()
    {
        Input.Dispose();
        Results.Dispose();
        _logits?.Dispose();
        Done.Dispose();
    }
}
