using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Cuda.Tests.Backend;

/// <summary>RoPE, KV store and attention beside the backend's: random rows go into both, every position's keys and values are remembered.</summary>
internal sealed class AttentionTwin(AttentionShape shape, bool normed, Random random)
{
    private const int BlockSize = 4, Blocks = 9, Positions = 40;

    private readonly float[] _queryGain = MemoryTensor.Floats(random, shape.HeadDim), _keyGain = MemoryTensor.Floats(random, shape.HeadDim);
    private readonly Dictionary<(int Layer, int Sequence, int Position, int Head), (double[] Key, double[] Value)> _stored = [];
    private KvCache _cache = null!;
    private Activation _qkv = null!, _output = null!;
    private RopeTable _rope = null!;
    private QkNorm? _norm;
    private int _layers;

    public BlockCopy[] Copies { get; set; } = [];

    /// <summary>The leading dimensions that rotate; the tail of a head does not.</summary>
    private int Rotary => shape.HeadDim > 8 ? shape.HeadDim / 2 : shape.HeadDim;

    public void Load(Rig rig, int layers)
    {
        _layers = layers;
        _cache = rig.Backend.AllocateKvCache(new KvCacheShape(layers, shape.KvHeads, shape.HeadDim, BlockSize, Blocks));
        float[] cosines = new float[Positions * Rotary / 2], sines = new float[cosines.Length];
        for (int i = 0; i < cosines.Length; i++)
        {
            double angle = Formulas.Angle(i / (Rotary / 2), i % (Rotary / 2), Rotary);
            (cosines[i], sines[i]) = ((float)Math.Cos(angle), (float)Math.Sin(angle));
        }

        _rope = rig.Backend.LoadRope(cosines, sines, Positions, Rotary);
        WeightVector Gain(float[] values) => rig.Backend.LoadVector(new MemoryTensor(ElementType.F32, 1, values.Length, values));
        if (normed) _norm = new QkNorm(Gain(_queryGain), Gain(_keyGain), 1e-6f);
        _qkv = rig.Backend.AllocateActivation(32, shape.QkvColumns);
        _output = rig.Backend.AllocateActivation(32, shape.QueryColumns);
    }

    /// <summary>One step of all layers; parts are sequence, computed tokens, tokens.</summary>
    public void Step(Rig rig, int[][] tables, params (int Sequence, int Computed, int Tokens)[] parts)
    {
        StepPlan plan = rig.Tokens(new int[parts.Sum(p => p.Tokens)]);
        plan.SequenceCount = plan.TokenCount = 0;
        foreach ((int sequence, int computed, int tokens) in parts)
        {
            plan.Sequences[plan.SequenceCount++] = new StepSequence
            {
                FirstToken = plan.TokenCount,
                TokenCount = tokens,
                ComputedTokens = computed,
                BlockTable = tables[sequence],
                BlockCount = tables[sequence].Length,
            };
            for (int position = computed; position < computed + tokens; position++)
            {
                plan.Positions[plan.TokenCount] = position;
                plan.Slots[plan.TokenCount++] = tables[sequence][position / BlockSize] * BlockSize + position % BlockSize;
            }
        }

        Copies.CopyTo(plan.Copies, 0);
        plan.CopyCount = Copies.Length;
        rig.Backend.BeginStep(plan, _cache);
        for (int layer = 0; layer < _layers; layer++)
        {
            float[][] rows = MemoryTensor.Matrix(random, ElementType.F16, plan.TokenCount, shape.QkvColumns);
            rig.Backend.WriteRows(_qkv, rows);
            rig.Backend.RopeAndStoreKv(_qkv, shape, _rope, _norm, _cache, layer);
            rig.Backend.PagedAttention(_qkv, shape, _cache, layer, _output);
            int t = 0;
            foreach ((int sequence, int computed, int tokens) in parts)
                for (int position = computed; position < computed + tokens; position++, t++)
                    OpTests.Close(Expected(rows[t], layer, sequence, position), rig.Backend.ReadRow(_output, t), 4e-3);
        }

        rig.Backend.EndStep();
        rig.Backend.Collect(new StepResult(1));
    }

    private double[] Expected(float[] row, int layer, int sequence, int position)
    {
        double[] Head(int index, float[]? gain)
        {
            float[] raw = row[(index * shape.HeadDim)..((index + 1) * shape.HeadDim)];
            double[] head = normed && gain is not null ? Formulas.RmsNorm(raw, gain, 1e-6) : [.. raw];
            return gain is null ? head : Formulas.Rope(head, position, Rotary);
        }

        for (int h = 0; h < shape.KvHeads; h++)
            _stored[(layer, sequence, position, h)] = (Head(shape.Heads + h, _keyGain), Head(shape.Heads + shape.KvHeads + h, null));
        int first = shape.Window == 0 ? 0 : Math.Max(0, position - shape.Window + 1);
        IEnumerable<double[]> heads = Enumerable.Range(0, shape.Heads).Select(h =>
        {
            int kvHead = h / (shape.Heads / shape.KvHeads);
            var seen = Enumerable.Range(first, position - first + 1).Select(p => _stored[(layer, sequence, p, kvHead)]).ToList();
            return Formulas.Attention(Head(h, _queryGain), [.. seen.Select(s => s.Key)], [.. seen.Select(s => s.Value)], shape.Scale);
        });
        return [.. heads.SelectMany(h => h)];
    }
}
