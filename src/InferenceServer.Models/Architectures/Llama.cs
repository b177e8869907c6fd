using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Models.Configuration;
using InferenceServer.Models.Files;

namespace InferenceServer.Models.Architectures;

/// <summary>
/// The decoder of Llama 2, 3, 3.1 and 3.2 (Touvron et al. 2023; Llama team 2024) over fused ops: pre-norm, grouped-query attention
/// with RoPE, SiLU-gated MLP. Its relatives differ by <see cref="DecoderTraits"/>.
/// The last layer stores every token's key and value but finishes only the rows whose logits are wanted.
/// </summary>
internal sealed class Llama : ITransformer
{
    public static readonly Architecture Definition = new()
    {
        Name = "LlamaForCausalLM",
        Build = context => new Llama(context, new DecoderTraits
        {
            QkvBias = context.Config.AttentionBias,
            OutputBias = context.Config.AttentionBias,
        }),
    };

    private readonly IComputeBackend _backend;
    private readonly KvCache _cache;
    private readonly float _epsilon;
    private readonly Matrix _embedding;
    private readonly Matrix _head;
    private readonly DecoderLayer[] _layers;
    private readonly WeightVector _finalNorm;
    private readonly RopeTable _rope;
    private readonly Activation _qkv;
    private readonly Stream _tokens;
    private readonly Stream _rows;

    public Llama(LoadContext context, DecoderTraits traits)
    {
        ModelConfig config = context.Config;
        WeightLoader weights = context.Weights;
        _backend = context.Backend;
        _cache = context.Cache;
        _epsilon = config.NormEpsilon;
        _embedding = weights.Matrix(MatrixUse.Embedding, config.HiddenSize, (WeightFiles.EmbeddingName, config.VocabularySize));
        _layers = new DecoderLayer[config.Layers];
        for (int i = 0; i < _layers.Length; i++) _layers[i] = DecoderLayer.Load(weights, config, traits, i);
        _finalNorm = weights.Vector(("model.norm.weight", config.HiddenSize));
        _head = config.TiedEmbeddings ? _embedding : weights.Matrix(MatrixUse.Head, config.HiddenSize, (WeightFiles.HeadName, config.VocabularySize));
        if (config.TiedEmbeddings) weights.Ignore(WeightFiles.HeadName); // some exports repeat the embedding under this name

        int positions = context.Limits.ContextLength;
        (float[] cosines, float[] sines) = RopeFrequencies.Table(config, positions);
        _rope = _backend.LoadRope(cosines, sines, positions, config.HeadDim);

        _qkv = _backend.AllocateActivation(context.Limits.MaxTokensPerStep, _layers[0].Attention.QkvColumns);
        _tokens = new Stream(_backend, config, context.Limits.MaxTokensPerStep);
        _rows = new Stream(_backend, config, context.Limits.MaxRowsPerStep);
        Logits = _backend.AllocateActivation(context.Limits.MaxRowsPerStep, config.VocabularySize, ActivationUse.Logits);
    }

    public Activation Logits { get; }

    public void Forward(StepPlan plan)
    {
        _backend.Embed(_embedding, _tokens.Residual);
        _backend.RmsNorm(_tokens.Residual, _layers[0].InputNorm, _epsilon, _tokens.Normed);
        int last = _layers.Length - 1;
        for (int i = 0; i < last; i++)
        {
            StoreKv(i);
            Attend(i);
            Finish(_layers[i], _layers[i + 1].InputNorm, _tokens);
        }

        StoreKv(last);
        if (plan.RowCount == 0) return;
        Attend(last);
        _backend.SelectRows(_tokens.Attended, _rows.Attended);
        _backend.SelectRows(_tokens.Residual, _rows.Residual);
        Finish(_layers[last], _finalNorm, _rows);
        _backend.Project(_rows.Normed, _head, null, Logits);
    }

    private void StoreKv(int index)
    {
        DecoderLayer layer = _layers[index];
        _backend.Project(_tokens.Normed, layer.Qkv, layer.QkvBias, _qkv);
        _backend.RopeAndStoreKv(_qkv, layer.Attention, _rope, layer.QkNorm, _cache, index);
    }

    private void Attend(int index) => _backend.PagedAttention(_qkv, _layers[index].Attention, _cache, index, _tokens.Attended);

    /// <summary>What follows attention, ending in the norm that the next layer or the head begins with.</summary>
    private void Finish(DecoderLayer layer, WeightVector nextNorm, Stream stream)
    {
        _backend.Project(stream.Attended, layer.Output, layer.OutputBias, stream.Delta);
        _backend.AddRmsNorm(stream.Residual, stream.Delta, layer.PostNorm, _epsilon, stream.Normed);
        _backend.GateUpSilu(stream.Normed, layer.GateUp, stream.Gated);
        _backend.Project(stream.Gated, layer.Down, null, stream.Delta);
        _backend.AddRmsNorm(stream.Residual, stream.Delta, nextNorm, _epsilon, stream.Normed);
    }

    /// <summary>The buffers that a set of tokens flows through; one set for all tokens of a step, one for its rows.</summary>
    private sealed class Stream(IComputeBackend backend, ModelConfig config, int maxRows)
    {
        public Activation Residual { get; } = backend.AllocateActivation(maxRows, config.HiddenSize, ActivationUse.Residual);

        public Activation Normed { get; } = backend.AllocateActivation(maxRows, config.HiddenSize);

        /// <summary>What attention or the MLP adds to the residual.</summary>
        public Activation Delta { get; } = backend.AllocateActivation(maxRows, config.HiddenSize);

        public Activation Attended { get; } = backend.AllocateActivation(maxRows, config.Heads * config.HeadDim);

        public Activation Gated { get; } = backend.AllocateActivation(maxRows, config.IntermediateSize);
    }
}
