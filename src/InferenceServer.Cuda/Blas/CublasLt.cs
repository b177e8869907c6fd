using System.Diagnostics.CodeAnalysis;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.Blas;

/// <summary>
/// Matrix products by cuBLASLt. The library's guess at an algorithm is often not the fastest, so its best few are timed once a shape, the
/// first time it is used outside a capture, and the winner is kept. Owned by the thread that launches; products on one object share a
/// workspace and therefore belong on one stream.
/// </summary>
/// <remarks>The library is column-major: row-major y = x * w^T is y^T = w * x^T there, with w transposed and x, y as they lie.</remarks>
internal sealed unsafe class CublasLt : IDisposable
{
    /// <summary>How many of the library's guesses are timed.</summary>
    public const int AlgorithmsTimed = 8;

    /// <summary>NVIDIA's advice for Hopper (cuBLAS guide, cublasSetWorkspace); smaller works, with fewer algorithms to choose from.</summary>
    public const long WorkspaceBytesAdvised = 32L << 20;

    private const int RunsTimed = 3;
    private const uint AlignmentBytes = 16; // rows have strides that are multiples of 8 elements, buffers are aligned more widely

    private readonly CudaContext _context;
    private readonly CublasLtApi _api;
    private readonly ulong _workspace;
    private readonly nuint _workspaceBytes;
    private readonly Dictionary<MatmulShape, MatmulPlan> _plans = [];
    private readonly CudaEvent _begin, _end;
    private nint _handle;

    /// <param name="workspace">Device memory for split-K sums, 256-byte aligned; owned by the caller.</param>
    /// <exception cref="CudaException">The library does not start on this device.</exception>
    public CublasLt(CudaContext context, CublasLtApi api, ulong workspace, long workspaceBytes)
    {
        _context = context;
        _api = api;
        _workspace = workspace;
        _workspaceBytes = (nuint)workspaceBytes;
        nint handle;
        Check(api.Create(&handle), "cublasLtCreate", default);
        _handle = handle;
        _begin = new CudaEvent(context, timing: true);
        _end = new CudaEvent(context, timing: true);
    }

    /// <summary>Shapes and what was chosen for them, for reports.</summary>
    public IReadOnlyDictionary<MatmulShape, MatmulPlan> Plans => _plans;

    /// <summary>y = x * w^T. The first time for a shape it may also time algorithms, which takes milliseconds and waits for the stream, unless the stream is capturing.</summary>
    /// <param name="time">Off for shapes that hardly come again, e.g. a chunk of a prompt: the library's first guess then serves.</param>
    /// <param name="x">(M, XStride) on the device, 16-byte aligned, as w and y.</param>
    public void Matmul(CudaStream stream, in MatmulShape shape, ulong x, ulong w, ulong y, bool time = true)
    {
        if (!_plans.TryGetValue(shape, out MatmulPlan? plan)) plan = Plan(shape);
        if (time && !plan.IsTimed && !stream.IsCapturing()) Time(stream, plan, shape, x, w, y);
        Run(stream, plan, 0, shape, x, w, y);
    }

    public void Dispose()
    {
        if (_handle == 0) return;
        foreach (MatmulPlan plan in _plans.Values)
        {
            _ = _api.MatmulDescDestroy(plan.Desc); // plain host memory: nothing to do about a refusal
            _ = _api.MatrixLayoutDestroy(plan.LayoutX);
            _ = _api.MatrixLayoutDestroy(plan.LayoutW);
            _ = _api.MatrixLayoutDestroy(plan.LayoutY);
        }

        _plans.Clear();
        _ = _api.Destroy(_handle);
        _handle = 0;
        _begin.Dispose();
        _end.Dispose();
    }

    private MatmulPlan Plan(in MatmulShape shape)
    {
        nint desc, preference;
        Check(_api.MatmulDescCreate(&desc, BlasCompute.F32, BlasType.F32), "cublasLtMatmulDescCreate", shape);
        BlasOperation transpose = BlasOperation.Transpose;
        Check(_api.MatmulDescSetAttribute(desc, MatmulDescAttribute.TransposeA, &transpose, sizeof(BlasOperation)), "cublasLtMatmulDescSetAttribute", shape);
        nint layoutW = Layout(shape.Type, shape.K, shape.N, shape.WStride, shape);
        nint layoutX = Layout(shape.Type, shape.K, shape.M, shape.XStride, shape);
        nint layoutY = Layout(shape.YF32 ? BlasType.F32 : shape.Type, shape.N, shape.M, shape.YStride, shape);

        Check(_api.MatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate", shape);
        nuint workspaceBytes = _workspaceBytes;
        Check(_api.MatmulPreferenceSetAttribute(preference, PreferenceAttribute.MaxWorkspaceBytes, &workspaceBytes, (nuint)sizeof(nuint)), "cublasLtMatmulPreferenceSetAttribute", shape);
        uint alignment = AlignmentBytes;
        for (PreferenceAttribute a = PreferenceAttribute.MinAlignmentABytes; a <= PreferenceAttribute.MinAlignmentDBytes; a++)
            Check(_api.MatmulPreferenceSetAttribute(preference, a, &alignment, sizeof(uint)), "cublasLtMatmulPreferenceSetAttribute", shape);

        MatmulHeuristic* found = stackalloc MatmulHeuristic[AlgorithmsTimed];
        int count = 0;
        BlasStatus status = _api.MatmulAlgoGetHeuristic(_handle, desc, layoutW, layoutX, layoutY, layoutY, preference, AlgorithmsTimed, found, &count);
        _ = _api.MatmulPreferenceDestroy(preference); // plain host memory
        Check(status, "cublasLtMatmulAlgoGetHeuristic", shape);
        MatmulHeuristic[] usable = [.. new Span<MatmulHeuristic>(found, count).ToArray().Where(h => h.State == BlasStatus.Success && h.WorkspaceBytes <= _workspaceBytes)];
        if (usable.Length == 0) Throw(BlasStatus.NotSupported, "cublasLtMatmulAlgoGetHeuristic", shape);

        MatmulPlan plan = new() { Desc = desc, LayoutW = layoutW, LayoutX = layoutX, LayoutY = layoutY, Candidates = usable };
        _plans.Add(shape, plan);
        return plan;
    }

    private nint Layout(BlasType type, int rows, int columns, int stride, in MatmulShape shape)
    {
        nint layout;
        Check(_api.MatrixLayoutCreate(&layout, type, (ulong)rows, (ulong)columns, stride), "cublasLtMatrixLayoutCreate", shape);
        return layout;
    }

    // Each candidate runs once to warm up, then a few times between two events. y is overwritten with the same values each time.
    private void Time(CudaStream stream, MatmulPlan plan, in MatmulShape shape, ulong x, ulong w, ulong y)
    {
        int best = -1;
        float bestMilliseconds = float.PositiveInfinity;
        for (int i = 0; i < plan.Candidates.Length; i++)
        {
            if (TryRun(stream, plan, i, x, w, y) != BlasStatus.Success) continue; // a guess that does not hold for these addresses
            _begin.Record(stream);
            for (int run = 0; run < RunsTimed; run++) Run(stream, plan, i, shape, x, w, y);
            _end.Record(stream);
            _end.Synchronize();
            float milliseconds = _end.MillisecondsSince(_begin) / RunsTimed;
            if (milliseconds >= bestMilliseconds) continue;
            best = i;
            bestMilliseconds = milliseconds;
        }

        if (best < 0) Throw(BlasStatus.NotSupported, "cublasLtMatmul", shape);
        plan.Candidates = [plan.Candidates[best]];
        plan.Milliseconds = bestMilliseconds;
        plan.IsTimed = true;
    }

    private void Run(CudaStream stream, MatmulPlan plan, int candidate, in MatmulShape shape, ulong x, ulong w, ulong y)
    {
        BlasStatus status = TryRun(stream, plan, candidate, x, w, y);
        if (status != BlasStatus.Success) Throw(status, "cublasLtMatmul", shape);
    }

    private BlasStatus TryRun(CudaStream stream, MatmulPlan plan, int candidate, ulong x, ulong w, ulong y)
    {
        float one = 1, zero = 0;
        _context.LastKernel = "cublasLtMatmul";
        fixed (MatmulHeuristic* chosen = &plan.Candidates[candidate])
            return _api.Matmul(_handle, plan.Desc, &one, w, plan.LayoutW, x, plan.LayoutX, &zero, y, plan.LayoutY, y, plan.LayoutY, &chosen->Algorithm, _workspace, _workspaceBytes, stream.Handle);
    }

    private void Check(BlasStatus status, string call, in MatmulShape shape)
    {
        if (status != BlasStatus.Success) Throw(status, call, shape);
    }

    [DoesNotReturn]
    private void Throw(BlasStatus status, string call, in MatmulShape shape) =>
        throw CudaException.OfBlas(call, (int)status, _api.StatusName(status), shape == default ? $"{_api.Library} {_api.Version} does not start on {_context.Name}." : shape.ToString());
}
