using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Cpu.Tests;

/// <summary>
/// Two random Llama layers with a bias, a q/k norm, a tied embedding and awkward sizes: every op of the backend once, in the order in which a model calls them.
/// </summary>
internal sealed class TinyModel : IDisposable
{
    public const int Vocabulary = 77, Width = 52, Hidden = 86, Layers = 2, BlockSize = 8, Blocks = 96, MaxTokens = 128;

    private static readonly string[] Names = ["qkv", "o", "gateUp", "down"];
    private readonly CpuBackend _backend;
    private readonly AttentionShape _shape;
    private readonly Matrix _embedding;
    private readonly Dictionary<string, Matrix> _matrices = [];
    private readonly WeightVector _gain, _headGain, _bias;
    private readonly RopeTable _rope;
    private readonly Activation _hidden, _normed, _qkv, _attended, _delta, _gated, _selected, _logits;
    private readonly StepResult _result = new(MaxTokens);

    public TinyModel(CpuBackend backend, ElementType type = ElementType.BF16, int window = 0)
    {
        Random random = new(2026); // the same weights in every instance
        _backend = backend;
        _shape = new AttentionShape(6, 2, 10, 0.3f, window);
        _embedding = backend.LoadMatrix(MatrixUse.Layer, MemoryTensor.Random(random, type, Vocabulary, Width));
        int[] rows = [_shape.QkvColumns, Width, 2 * Hidden, Width], columns = [Width, _shape.QueryColumns, Width, Hidden];
        for (int layer = 0; layer < Layers; layer++)
        {
            for (int i = 0; i < Names.Length; i++)
                _matrices[Names[i] + layer] = backend.LoadMatrix(Names[i] == "gateUp" ? MatrixUse.GateUp : MatrixUse.Layer, MemoryTensor.Random(random, type, rows[i], columns[i], 0.3f));
        }

        _gain = backend.LoadVector(MemoryTensor.Random(random, ElementType.F32, 1, Width));
        _headGain = backend.LoadVector(MemoryTensor.Random(random, ElementType.F32, 1, _shape.HeadDim));
        _bias = backend.LoadVector(MemoryTensor.Random(random, ElementType.BF16, 1, _shape.QkvColumns));
        _rope = LoadRope(backend, 512, 8, 10_000);
        _hidden = backend.AllocateActivation(MaxTokens, Width);
        _normed = backend.AllocateActivation(MaxTokens, Width);
        _qkv = backend.AllocateActivation(MaxTokens, _shape.QkvColumns);
        _attended = backend.AllocateActivation(MaxTokens, _shape.QueryColumns);
        _delta = backend.AllocateActivation(MaxTokens, Width);
        _gated = backend.AllocateActivation(MaxTokens, Hidden);
        _selected = backend.AllocateActivation(MaxTokens, Width);
        _logits = backend.AllocateActivation(MaxTokens, Vocabulary);
        Cache = backend.AllocateKvCache(new KvCacheShape(Layers, _shape.KvHeads, _shape.HeadDim, BlockSize, Blocks));
    }

    public KvCache Cache { get; }

    public static RopeTable LoadRope(CpuBackend backend, int positions, int rotaryDim, double thetaBase)
    {
        float[] cosines = new float[positions * rotaryDim / 2], sines = new float[cosines.Length];
        for (int i = 0; i < cosines.Length; i++)
        {
            double angle = i / (rotaryDim / 2) * Math.Pow(thetaBase, -2.0 * (i % (rotaryDim / 2)) / rotaryDim);
            (cosines[i], sines[i]) = ((float)Math.Cos(angle), (float)Math.Sin(angle));
        }

        return backend.LoadRope(cosines, sines, positions, rotaryDim);
    }

    /// <summary>Runs a step; logits (rows, vocabulary).</summary>
    public float[][] Step(StepPlan plan)
    {
        Run(plan);
        return _backend.ReadAll(_logits);
    }

    /// <summary>Runs a step and allocates nothing.</summary>
    public StepResult Run(StepPlan plan)
    {
        _backend.BeginStep(plan, Cache);
        _backend.Embed(_embedding, _hidden);
        _backend.RmsNorm(_hidden, _gain, 1e-5f, _normed);
        for (int layer = 0; layer < Layers; layer++)
        {
            if (layer > 0) _backend.AddRmsNorm(_hidden, _delta, _gain, 1e-5f, _normed);
            _backend.Project(_normed, _matrices[layer == 0 ? "qkv0" : "qkv1"], _bias, _qkv);
            _backend.RopeAndStoreKv(_qkv, _shape, _rope, layer == 0 ? null : HeadNorm, Cache, layer);
            _backend.PagedAttention(_qkv, _shape, Cache, layer, _attended);
            _backend.Project(_attended, _matrices[layer == 0 ? "o0" : "o1"], null, _delta);
            _backend.AddRmsNorm(_hidden, _delta, _gain, 1e-5f, _normed);
            _backend.GateUpSilu(_normed, _matrices[layer == 0 ? "gateUp0" : "gateUp1"], _gated);
            _backend.Project(_gated, _matrices[layer == 0 ? "down0" : "down1"], null, _delta);
        }

        _backend.AddRmsNorm(_hidden, _delta, _gain, 1e-5f, _normed);
        _backend.SelectRows(_normed, _selected);
        _backend.Project(_selected, _embedding, null, _logits);
        _backend.Sample(_logits);
        _backend.EndStep();
        _backend.Collect(_result);
        return _result;
    }

    public void Dispose() => _backend.Dispose();

    private QkNorm HeadNorm => field ??= new QkNorm(_headGain, _headGain, 1e-6f);
}
