using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Models.Tests;

/// <summary>
/// The twin for whole models: every op as the shortest loop that says what it means. Picks the most likely token
/// and keeps the logits it saw.
/// </summary>
internal sealed class PlainBackend : IComputeBackend
{
    private StepPlan _plan = null!;
    private Activation? _sampled;

    public string Name => "plain";

    public string Description => "plain loops for tests";

    /// <summary>The last step's logits, one array a row.</summary>
    public List<float[]> Logits { get; } = [];

    /// <summary>Calls of <see cref="LoadMatrix"/>.</summary>
    public int MatricesLoaded { get; private set; }

    public Matrix LoadMatrix(MatrixUse use, params IReadOnlyList<HostTensor> stacked)
    {
        MatricesLoaded++;
        return new PlainMatrix((int)stacked.Sum(t => t.Rows), stacked[0].Columns, [.. stacked.SelectMany(PlainTensors.Widen)]);
    }

    public WeightVector LoadVector(params IReadOnlyList<HostTensor> concatenated) =>
        new PlainVector([.. concatenated.SelectMany(PlainTensors.Widen)]);

    public RopeTable LoadRope(ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines, int positions, int rotaryDim) =>
        new PlainRope(cosines.ToArray(), sines.ToArray(), positions, rotaryDim);

    public Activation AllocateActivation(int maxRows, int columns, ActivationUse use = ActivationUse.Hidden) => new PlainActivation(maxRows, columns);

    public KvCache AllocateKvCache(KvCacheShape shape) => new PlainKvCache(shape);

    public void BeginStep(StepPlan plan, KvCache cache)
    {
        _plan = plan;
        Logits.Clear();
        PlainKvCache kv = (PlainKvCache)cache;
        for (int copy = 0; copy < plan.CopyCount; copy++)
            for (int layer = 0; layer < kv.Shape.Layers; layer++)
                for (int i = 0; i < kv.Shape.BlockSize; i++)
                    for (int head = 0; head < kv.Shape.KvHeads; head++)
                    {
                        int from = plan.Copies[copy].Source * kv.Shape.BlockSize + i, to = plan.Copies[copy].Destination * kv.Shape.BlockSize + i;
                        kv.Key(layer, from, head).CopyTo(kv.Key(layer, to, head));
                        kv.Value(layer, from, head).CopyTo(kv.Value(layer, to, head));
                    }
    }

    public void Embed(Matrix table, Activation hidden)
    {
        hidden.Rows = _plan.TokenCount;
        for (int t = 0; t < _plan.TokenCount; t++) ((PlainMatrix)table)[_plan.TokenIds[t]].CopyTo(Row(hidden, t));
    }

    public void RmsNorm(Activation input, WeightVector gain, float epsilon, Activation output)
    {
        output.Rows = input.Rows;
        for (int t = 0; t < input.Rows; t++) Normalize(Row(input, t), gain, epsilon, Row(output, t));
    }

    public void AddRmsNorm(Activation residual, Activation delta, WeightVector gain, float epsilon, Activation output)
    {
        for (int t = 0; t < residual.Rows; t++)
            for (int i = 0; i < residual.Columns; i++) Row(residual, t)[i] += Row(delta, t)[i];
        RmsNorm(residual, gain, epsilon, output);
    }

    public void Project(Activation input, Matrix weight, WeightVector? bias, Activation output)
    {
        output.Rows = input.Rows;
        for (int t = 0; t < input.Rows; t++)
            for (int row = 0; row < weight.Rows; row++)
                Row(output, t)[row] = Dot(Row(input, t), ((PlainMatrix)weight)[row]) + (bias is PlainVector b ? b.Values[row] : 0);
    }

    public void RopeAndStoreKv(Activation qkv, AttentionShape shape, RopeTable rope, QkNorm? norm, KvCache cache, int layer)
    {
        PlainKvCache kv = (PlainKvCache)cache;
        for (int t = 0; t < qkv.Rows; t++)
        {
            for (int head = 0; head < shape.Heads + shape.KvHeads; head++)
            {
                Span<float> vector = Row(qkv, t).Slice(head * shape.HeadDim, shape.HeadDim);
                if (norm is not null) Normalize(vector, head < shape.Heads ? norm.QueryGain : norm.KeyGain, norm.Epsilon, vector);
                Rotate(vector, (PlainRope)rope, _plan.Positions[t]);
            }

            for (int head = 0; head < shape.KvHeads; head++)
            {
                Row(qkv, t).Slice(shape.QueryColumns + head * shape.HeadDim, shape.HeadDim).CopyTo(kv.Key(layer, _plan.Slots[t], head));
                Row(qkv, t).Slice(shape.QueryColumns + shape.KvColumns + head * shape.HeadDim, shape.HeadDim)
                    .CopyTo(kv.Value(layer, _plan.Slots[t], head));
            }
        }
    }

    public void PagedAttention(Activation qkv, AttentionShape shape, KvCache cache, int layer, Activation output)
    {
        output.Rows = qkv.Rows;
        for (int t = 0; t < qkv.Rows; t++)
            for (int head = 0; head < shape.Heads; head++)
                Attend(
                    t, Row(qkv, t).Slice(head * shape.HeadDim, shape.HeadDim), shape, (PlainKvCache)cache, layer,
                    head / (shape.Heads / shape.KvHeads), Row(output, t).Slice(head * shape.HeadDim, shape.HeadDim));
    }

    public void GateUpSilu(Activation input, Matrix gateUp, Activation output)
    {
        output.Rows = input.Rows;
        PlainMatrix weights = (PlainMatrix)gateUp;
        for (int t = 0; t < input.Rows; t++)
            for (int i = 0; i < weights.Rows / 2; i++)
            {
                float gate = Dot(Row(input, t), weights[i]), up = Dot(Row(input, t), weights[weights.Rows / 2 + i]);
                Row(output, t)[i] = gate / (1 + MathF.Exp(-gate)) * up;
            }
    }

    public void SelectRows(Activation hidden, Activation selected)
    {
        selected.Rows = _plan.RowCount;
        for (int r = 0; r < _plan.RowCount; r++) Row(hidden, _plan.Rows[r].Token).CopyTo(Row(selected, r));
    }

    public void Sample(Activation logits) => _sampled = logits;

    public void EndStep()
    {
    }

    public void Collect(StepResult result)
    {
        for (int r = 0; r < _sampled?.Rows; r++)
        {
            float[] row = Row(_sampled, r).ToArray();
            Logits.Add(row);
            result.Rows[r].Token = Array.IndexOf(row, row.Max());
        }

        _sampled = null;
    }

    public void Dispose()
    {
    }

    private void Attend(int token, ReadOnlySpan<float> query, AttentionShape shape, PlainKvCache kv, int layer, int kvHead, Span<float> output)
    {
        int position = _plan.Positions[token], size = kv.Shape.BlockSize;
        int[] blocks = _plan.Sequences[_plan.TokenSequences[token]].BlockTable;
        int first = shape.Window == 0 ? 0 : Math.Max(0, position - shape.Window + 1);
        float[] scores = new float[position + 1 - first];
        for (int p = first; p <= position; p++)
            scores[p - first] = Dot(query, kv.Key(layer, blocks[p / size] * size + p % size, kvHead)) * shape.Scale;
        float max = scores.Max(), sum = scores.Sum(s => MathF.Exp(s - max));
        output.Clear();
        for (int p = first; p <= position; p++)
            for (int i = 0; i < shape.HeadDim; i++)
                output[i] += MathF.Exp(scores[p - first] - max) / sum * kv.Value(layer, blocks[p / size] * size + p % size, kvHead)[i];
    }

    private static void Normalize(ReadOnlySpan<float> input, WeightVector gain, float epsilon, Span<float> output)
    {
        float scale = 1 / MathF.Sqrt(Dot(input, input) / input.Length + epsilon);
        for (int i = 0; i < input.Length; i++) output[i] = input[i] * scale * ((PlainVector)gain).Values[i];
    }

    private static void Rotate(Span<float> head, PlainRope rope, int position)
    {
        int half = rope.RotaryDim / 2;
        for (int i = 0; i < half; i++)
        {
            float a = head[i], b = head[i + half], cosine = rope.Cosines(position)[i], sine = rope.Sines(position)[i];
            (head[i], head[i + half]) = (a * cosine - b * sine, b * cosine + a * sine);
        }
    }

    private static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        float sum = 0;
        for (int i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    private static Span<float> Row(Activation activation, int row) => ((PlainActivation)activation)[row];
}
