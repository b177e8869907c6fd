using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Blas;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Handles;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Memory;

namespace InferenceServer.Cuda.Steps;

/// <summary>The kernels of one model's precision, launched on the step's stream. Which of them serves how many rows is decided here, by the shape alone.</summary>
internal sealed class StepKernels : IDisposable
{
    private readonly CudaDevice _device;
    private readonly CudaOptions _options;
    private readonly CudaStream _stream;
    private readonly DeviceArena _workspace;
    private readonly EmbeddingKernel _embedding;
    private readonly NormKernel _norm;
    private readonly GemvKernel _gemv;
    private readonly GemmKernel _gemm;
    private readonly BiasKernel _bias;
    private readonly SiluKernel _silu;
    private readonly RopeKernel _rope;
    private readonly RowsKernel _rows;
    private readonly SamplingKernel _sampling;
    private readonly Dictionary<(int HeadDim, int Group), AttentionDecodeKernel> _decode = [];
    private readonly Dictionary<int, AttentionPrefillKernel> _prefill = [];
    private readonly CublasLt? _blas;
    private readonly ulong _partial;  // split-K
    private readonly ulong _counters; // split-K
    private ulong _gateUp;
    private int _gateUpColumns;

    public StepKernels(CudaDevice device, CudaOptions options, CudaStream stream, DeviceArena workspace)
    {
        (_device, _options, _stream, _workspace) = (device, options, stream, workspace);
        KernelLibrary library = device.Kernels;
        ElementType precision = options.Precision;
        _embedding = new EmbeddingKernel(library, precision);
        _norm = new NormKernel(library, precision);
        _gemv = new GemvKernel(library, precision);
        _gemm = new GemmKernel(library, precision);
        _bias = new BiasKernel(library, precision);
        _silu = new SiluKernel(library, precision);
        _rope = new RopeKernel(library, precision);
        _rows = new RowsKernel(library);
        _sampling = new SamplingKernel(library);
        _partial = workspace.Allocate(PartialBytes(device.Context.SmCount), "partial sums of products");
        _counters = workspace.Allocate(CounterBytes(device.Context.SmCount), "partial sums of products");
        stream.Fill(_counters, 0, CounterBytes(device.Context.SmCount)); // each tile's last piece leaves them so
        if (device.Blas is null) return;
        _blas = new CublasLt(device.Context, device.Blas, workspace.Allocate(CublasLt.WorkspaceBytesAdvised, "cuBLASLt"), CublasLt.WorkspaceBytesAdvised);
    }

    public string Description => $"kernels for {_device.Kernels.Arch}, " + (_device.Blas is { } blas ? $"cuBLASLt {blas.Version}" : "own GEMM");

    /// <summary>What the workspace holds for kernels, before it is made; without what cuBLASLt takes.</summary>
    public static long Bytes(CudaModelSizes model, CudaOptions limits, int smCount) =>
        DeviceArena.Align(GateUpBytes(limits, 2 * model.IntermediateSize)) + DeviceArena.Align(PartialBytes(smCount)) + DeviceArena.Align(CounterBytes(smCount));

    public void Embed(in EmbedParams p, int tokens) => _embedding.Launch(_stream, p, tokens);

    public void Norm(in NormParams p, int rows) => _norm.Launch(_stream, p, rows);

    /// <summary>A few rows are a matter of reading the weights once; more are one of arithmetic, done by tensor cores.</summary>
    public void Linear(LinearParams p)
    {
        if (p.M <= GemvKernel.MaxRows)
        {
            _gemv.Launch(_stream, p);
            return;
        }

        if (_blas is not null && TryBlas(in p)) return;
        GemmPlan plan = GemmPlan.Choose(p.M, p.N, p.K, _device.Context.SmCount);
        p.Splits = plan.Splits;
        if (plan.Splits > 1) (p.Partial, p.Counters) = (_partial, _counters);
        _gemm.Launch(_stream, p, plan);
    }

    /// <summary>Fused for a few rows; otherwise a product into scratch memory and the activation behind it.</summary>
    public void GateUp(in GateUpParams p)
    {
        if (p.M <= GemvKernel.MaxRows)
        {
            _gemv.LaunchGateUp(_stream, p);
            return;
        }

        int columns = 2 * p.Intermediate, stride = CudaActivation.PaddedColumns(columns);
        if (columns > _gateUpColumns) // graphs keep the smaller one, which stays theirs
        {
            _gateUp = _workspace.Allocate(GateUpBytes(_options, columns), "gate and up");
            _gateUpColumns = columns;
        }

        Linear(new LinearParams { X = p.X, W = p.W, Y = _gateUp, M = p.M, N = columns, K = p.K, XStride = p.XStride, WStride = p.WStride, YStride = stride, Splits = 1 });
        _silu.Launch(_stream, new SiluParams { GateUp = _gateUp, Y = p.Y, Rows = p.M, Intermediate = p.Intermediate, XStride = stride, YStride = p.YStride });
    }

    public void Rope(in RopeParams p) => _rope.Launch(_stream, p);

    /// <param name="walkers">See <see cref="AttentionDecodeKernel.Launch"/>.</param>
    public void Decode(in DecodeParams p, int walkers)
    {
        (int, int) size = (p.HeadDim, p.Heads / p.KvHeads);
        if (!_decode.TryGetValue(size, out AttentionDecodeKernel? kernel))
            _decode.Add(size, kernel = new AttentionDecodeKernel(_device.Kernels, _options.Precision, size.Item1, size.Item2));
        kernel.Launch(_stream, p, walkers);
    }

    public void Prefill(in PrefillParams p, int items)
    {
        if (!_prefill.TryGetValue(p.HeadDim, out AttentionPrefillKernel? kernel))
            _prefill.Add(p.HeadDim, kernel = new AttentionPrefillKernel(_device.Kernels, _options.Precision, p.HeadDim));
        kernel.Launch(_stream, p, items);
    }

    public void SelectRows(in SelectParams p, int rows) => _rows.Select(_stream, p, rows);

    public void CopyBlocks(in CopyParams p, int copies, int planes) => _rows.CopyBlocks(_stream, p, copies, planes);

    public void Sample(in SampleParams p, int rows) => _sampling.Launch(_stream, p, rows);

    public void Dispose() => _blas?.Dispose();

    /// <summary>The library leaves padding columns alone and adds no f32 bias, so shapes with either are ours. Algorithms are timed for the row counts that come back.</summary>
    private bool TryBlas(in LinearParams p)
    {
        if (p.N % 8 != 0 || p.K % 8 != 0 || (p.Bias != 0 && p.YF32 != 0)) return false;
        BlasType type = _options.Precision == ElementType.F16 ? BlasType.F16 : BlasType.BF16;
        bool recurs = p.M <= StepGraphs.LargestBucket && p.M == StepGraphs.BucketFor(p.M);
        _blas!.Matmul(_stream, new MatmulShape(type, p.M, p.N, p.K, p.XStride, p.WStride, p.YStride, p.YF32 != 0), p.X, p.W, p.Y, recurs);
        if (p.Bias != 0) _bias.Launch(_stream, new BiasParams { Y = p.Y, Bias = p.Bias, Rows = p.M, N = p.N, YStride = p.YStride });
        return true;
    }

    private static long GateUpBytes(CudaOptions limits, int columns) => CudaActivation.Bytes(limits.MaxTokensPerStep, columns, ActivationUse.Hidden);

    /// <summary>Pieces of k are made until about two blocks a multiprocessor are busy (<see cref="GemmPlan.Choose"/>), so that many tiles is the most.</summary>
    private static long PartialBytes(int smCount) => 2L * smCount * GemmTile.All.Max(tile => tile.Rows * tile.Columns) * sizeof(float);

    private static long CounterBytes(int smCount) => 2L * smCount * sizeof(int);
}
