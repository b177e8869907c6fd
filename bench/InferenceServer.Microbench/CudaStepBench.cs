using BenchmarkDotNet.Attributes;
using InferenceServer.Core.Compute;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.StandIn.Driver;
using InferenceServer.Engine.Sampling;
using InferenceServer.Microbench.Kernels;

namespace InferenceServer.Microbench;

/// <summary>
/// What the host does for a decode step of 256 sequences of 1,024 tokens and 32 layers on the CUDA backend: check and lay out the plan, cut attention into items, send,
/// launch. The stand-in driver takes launches and drops them. With graphs a step is one launch; without, 290. Target: at most 150 us, no allocation.
/// </summary>
public class CudaStepBench
{
    private const int Sequences = 256, Context = 1024, BlockSize = 16, Layers = 32, Blocks = 512; // sequences share blocks: nothing is read

    private static readonly AttentionShape Shape = new(8, 8, 8, 0.3f, 0);

    private readonly StepResult _result = new(Sequences);
    private StandInDriver _driver = null!;
    private CudaBackend _backend = null!;
    private KvCache _cache = null!;
    private StepPlan _plan = null!;
    private Matrix _embedding = null!, _qkvWeights = null!, _outputWeights = null!, _gateUpWeights = null!;
    private WeightVector _gain = null!;
    private RopeTable _rope = null!;
    private Activation _residual = null!, _normed = null!, _qkv = null!, _attended = null!, _delta = null!, _gated = null!, _selected = null!, _logits = null!;

    [Params(true, false)]
    public bool Graphs { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _driver = StandInDriver.Create(new StandInOptions { ExecuteKernels = false, Multiprocessors = 132 });
        CudaDevice device = CudaDevice.Open(_driver.Api, 0, cache: new CubinCache(null));
        _backend = new CudaBackend(device, new CudaOptions
        {
            MaxTokensPerStep = 512,
            MaxSequencesPerStep = Sequences,
            MaxRowsPerStep = Sequences,
            ContextLength = 2 * Context,
        }, new HostSampler(), new CudaTuning { Graphs = Graphs });
        Load();
        _plan = Plan();
        for (int i = 0; i < 3; i++) Step(); // op by op, captured, replayed
    }

    [Benchmark]
    public void Step()
    {
        _plan.StepIndex++;
        _backend.BeginStep(_plan, _cache);
        _backend.Embed(_embedding, _residual);
        _backend.RmsNorm(_residual, _gain, 1e-5f, _normed);
        for (int layer = 0; layer < Layers; layer++)
        {
            _backend.Project(_normed, _qkvWeights, null, _qkv);
            _backend.RopeAndStoreKv(_qkv, Shape, _rope, null, _cache, layer);
            _backend.PagedAttention(_qkv, Shape, _cache, layer, _attended);
            _backend.Project(_attended, _outputWeights, null, _delta);
            _backend.AddRmsNorm(_residual, _delta, _gain, 1e-5f, _normed);
            _backend.GateUpSilu(_normed, _gateUpWeights, _gated);
            _backend.Project(_gated, _outputWeights, null, _delta);
            _backend.AddRmsNorm(_residual, _delta, _gain, 1e-5f, _normed);
        }

        _backend.SelectRows(_normed, _selected);
        _backend.Project(_selected, _embedding, null, _logits);
        _backend.Sample(_logits);
        _backend.EndStep();
        _backend.Collect(_result);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _backend.Dispose();
        _driver.Dispose();
    }

    private void Load()
    {
        int width = Shape.QueryColumns;
        Matrix Weights(int rows) => _backend.LoadMatrix(MatrixUse.Layer, new RandomTensor(ElementType.BF16, rows, width));
        (_embedding, _qkvWeights, _outputWeights, _gateUpWeights) = (Weights(1000), Weights(Shape.QkvColumns), Weights(width), Weights(2 * width));
        _gain = _backend.LoadVector(new RandomTensor(ElementType.F32, 1, width));
        _rope = _backend.LoadRope(new float[2 * Context * 4], new float[2 * Context * 4], 2 * Context, 8);
        Activation Rows(int columns, ActivationUse use = ActivationUse.Hidden) => _backend.AllocateActivation(512, columns, use);
        (_residual, _normed, _qkv, _attended) = (Rows(width, ActivationUse.Residual), Rows(width), Rows(Shape.QkvColumns), Rows(width));
        (_delta, _gated, _selected, _logits) = (Rows(width), Rows(width), Rows(width), Rows(1000, ActivationUse.Logits));
        _cache = _backend.AllocateKvCache(new KvCacheShape(Layers, Shape.KvHeads, Shape.HeadDim, BlockSize, Blocks));
    }

    private static StepPlan Plan()
    {
        StepPlan plan = new(512, Sequences, Sequences) { TokenCount = Sequences, SequenceCount = Sequences, RowCount = Sequences };
        for (int i = 0; i < Sequences; i++)
        {
            int[] table = [.. Enumerable.Range(i, Context / BlockSize + 1)];
            (plan.TokenIds[i], plan.Positions[i], plan.TokenSequences[i], plan.Slots[i]) = (i, Context, i, table[^1] * BlockSize);
            plan.Sequences[i] = new StepSequence { FirstToken = i, TokenCount = 1, ComputedTokens = Context, BlockTable = table, BlockCount = table.Length };
            plan.Rows[i] = new LogitsRow
            {
                Token = i,
                Sequence = i,
                Position = Context + 1,
                Sampling = new SamplingState(new SamplingParameters { Temperature = 0.7f, TopP = 0.9f }, (ulong)i, [1, 2], []),
            };
        }

        return plan;
    }
}
