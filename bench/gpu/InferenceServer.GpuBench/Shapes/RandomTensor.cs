using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;

namespace InferenceServer.GpuBench.Shapes;

/// <summary>
/// A bf16 tensor whose rows are slices of one random pattern in memory: 16 GB of weights that cost 64 MiB and no time to draw, yet are
/// copied, staged and uploaded like a file's. Matrices are normal with deviation 0.02, as Llamas are initialised; vectors (gains) lie around 1.
/// </summary>
internal sealed class RandomTensor : HostTensor
{
    private const int PatternElements = 32 << 20; // 64 MiB: larger than the caches, so that reading it costs what reading a file in memory costs
    private const int Alignment = 64;

    private static readonly Lazy<ushort[]> Normal = new(() => Draw(PatternElements, mean: 0, deviation: 0.02f));
    private static readonly Lazy<ushort[]> AroundOne = new(() => Draw(1 << 16, mean: 1, deviation: 0.02f));

    private readonly ushort[] _pattern;
    private readonly int _offset;

    public RandomTensor(string name, params IReadOnlyList<long> shape)
        : base(name, ElementType.BF16, shape)
    {
        _pattern = (shape.Count == 1 ? AroundOne : Normal).Value;
        uint hash = 2166136261; // FNV-1a; string.GetHashCode differs from run to run
        foreach (char c in name) hash = (hash ^ c) * 16777619;
        _offset = (int)(hash % (uint)_pattern.Length);
    }

    public override ReadOnlySpan<byte> Row(long row)
    {
        int columns = Columns;
        long span = _pattern.Length - columns;
        if (span < 0) throw new InvalidOperationException($"'{Name}' has {columns} columns; the pattern holds {_pattern.Length}.");
        int start = (int)((_offset + row * columns) % (span + 1)) / Alignment * Alignment;
        return MemoryMarshal.AsBytes(_pattern.AsSpan(start, columns));
    }

    /// <summary>Every tensor of a Llama of that shape, named as Hugging Face does.</summary>
    public static IEnumerable<HostTensor> Of(ModelShape shape)
    {
        yield return new RandomTensor("model.embed_tokens.weight", shape.Vocabulary, shape.Hidden);
        int query = shape.Heads * shape.HeadDim, kv = shape.KvHeads * shape.HeadDim;
        for (int i = 0; i < shape.Layers; i++)
        {
            string layer = $"model.layers.{i}.";
            yield return new RandomTensor(layer + "input_layernorm.weight", shape.Hidden);
            yield return new RandomTensor(layer + "self_attn.q_proj.weight", query, shape.Hidden);
            yield return new RandomTensor(layer + "self_attn.k_proj.weight", kv, shape.Hidden);
            yield return new RandomTensor(layer + "self_attn.v_proj.weight", kv, shape.Hidden);
            yield return new RandomTensor(layer + "self_attn.o_proj.weight", shape.Hidden, query);
            yield return new RandomTensor(layer + "post_attention_layernorm.weight", shape.Hidden);
            yield return new RandomTensor(layer + "mlp.gate_proj.weight", shape.Intermediate, shape.Hidden);
            yield return new RandomTensor(layer + "mlp.up_proj.weight", shape.Intermediate, shape.Hidden);
            yield return new RandomTensor(layer + "mlp.down_proj.weight", shape.Hidden, shape.Intermediate);
        }

        yield return new RandomTensor("model.norm.weight", shape.Hidden);
        if (!shape.TiedEmbeddings) yield return new RandomTensor("lm_head.weight", shape.Vocabulary, shape.Hidden);
    }

    private static ushort[] Draw(int count, float mean, float deviation)
    {
        ushort[] pattern = GC.AllocateUninitializedArray<ushort>(count, pinned: true);
        int share = count / Environment.ProcessorCount + 1;
        Parallel.For(0, Environment.ProcessorCount, worker =>
        {
            Random random = new(1 + worker);
            int begin = Math.Min(count, worker * share), end = Math.Min(count, begin + share);
            for (int i = begin; i < end; i++)
            {
                // A sum of three uniform numbers: close to normal, and 10 times cheaper than the logarithm and cosine of Box and Muller.
                float sum = random.NextSingle() + random.NextSingle() + random.NextSingle() - 1.5f;
                pattern[i] = (ushort)(BitConverter.SingleToUInt32Bits(mean + deviation * 2 * sum) >> 16);
            }
        });
        return pattern;
    }
}
