namespace InferenceServer.CpuBench.Model;

/// <summary>A Llama as numbers, and the tensors that follow from them.</summary>
internal sealed record LlamaShape(string Name, int Hidden, int Intermediate, int Layers, int Heads, int KvHeads, int HeadDim, int Vocabulary, int Context)
{
    public const float RmsEpsilon = 1e-5f;

    public const float RopeBase = 10000;

    /// <summary>1.1 B parameters. The context is twice TinyLlama's: a prompt of 4,096 tokens and its answer fit.</summary>
    public static LlamaShape TinyLlama { get; } = new("tinyllama-1.1b", 2048, 5632, 22, 32, 4, 64, 32000, 8192);

    /// <summary>For tests: a file of some hundred kilobytes that the same programs read. 256 columns are one block of the K formats.</summary>
    public static LlamaShape Tiny { get; } = new("tiny", 256, 512, 2, 4, 2, 64, 1024, 8192);

    public static IReadOnlyList<LlamaShape> All { get; } = [TinyLlama, Tiny];

    /// <exception cref="BenchException">No shape of that name.</exception>
    public static LlamaShape Find(string name) => All.FirstOrDefault(s => s.Name == name)
        ?? throw new BenchException($"'{name}' is no shape; choose one of {string.Join(", ", All.Select(s => s.Name))}.");

    /// <summary>Of which a decode step reads a single row; all other matrices are read whole.</summary>
    public long EmbeddingBytes(WeightFormat format) => (long)Vocabulary * format.RowBytes(Hidden);

    /// <summary>
    /// In the file's order, named as llama.cpp names them. Deviations keep every activation near 1: a product's outputs have the deviation of its
    /// inputs, what joins the residual stream is damped by its 2 x layers additions, and logits deviate by 2.5, so that the best of them is no tie.
    /// </summary>
    public IEnumerable<RandomTensorPlan> Tensors
    {
        get
        {
            int query = Heads * HeadDim, kv = KvHeads * HeadDim;
            float input = 1 / MathF.Sqrt(Hidden), damping = 1 / MathF.Sqrt(2 * Layers);
            yield return new RandomTensorPlan("token_embd.weight", Vocabulary, Hidden, 1);
            for (int i = 0; i < Layers; i++)
            {
                string layer = $"blk.{i}.";
                yield return RandomTensorPlan.Gains(layer + "attn_norm.weight", Hidden);
                yield return new RandomTensorPlan(layer + "attn_q.weight", query, Hidden, input);
                yield return new RandomTensorPlan(layer + "attn_k.weight", kv, Hidden, input);
                yield return new RandomTensorPlan(layer + "attn_v.weight", kv, Hidden, input);
                yield return new RandomTensorPlan(layer + "attn_output.weight", Hidden, query, damping / MathF.Sqrt(query));
                yield return RandomTensorPlan.Gains(layer + "ffn_norm.weight", Hidden);
                yield return new RandomTensorPlan(layer + "ffn_gate.weight", Intermediate, Hidden, input);
                yield return new RandomTensorPlan(layer + "ffn_up.weight", Intermediate, Hidden, input);
                yield return new RandomTensorPlan(layer + "ffn_down.weight", Hidden, Intermediate, damping / MathF.Sqrt(Intermediate));
            }

            yield return RandomTensorPlan.Gains("output_norm.weight", Hidden);
            yield return new RandomTensorPlan("output.weight", Vocabulary, Hidden, 2.5f * input);
        }
    }
}
