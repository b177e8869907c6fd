using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Tests.Plain;

namespace InferenceServer.Cpu.Tests;

/// <summary>RoPE, the store and paged attention against the plain twin in double precision.</summary>
public sealed class AttentionTests
{
    private const double ThetaBase = 10_000, Bound = 2e-5;

    /// <summary>
    /// Rounding once more than the twin: a key that the rotation left a hair from half way between two stored numbers may fall to the other side. That is one
    /// step of bf16 (2^-8) or of int8 (1/127 of the largest) in one of many terms.
    /// </summary>
    private static readonly Dictionary<KvType, double> Bounds = new() { [KvType.F32] = Bound, [KvType.BF16] = 2e-3, [KvType.Q8] = 6e-3 };

    public static MatrixTheoryData<string, KvType> Sets => Samples.SetsAndKvTypes();

    [Theory]
    [MemberData(nameof(Sets))]
    public void Attention_matches_the_plain_twin_over_heads_sizes_and_windows(string set, KvType kv)
    {
        int[][] shapes = // heads, kvHeads, headDim, rotaryDim, window, blockSize
        [
            [1, 1, 2, 2, 0, 16], [8, 4, 8, 8, 0, 16], [4, 4, 64, 64, 0, 16], [6, 2, 10, 6, 5, 8], [16, 1, 34, 34, 0, 4],
            [12, 4, 96, 48, 40, 32], [7, 1, 18, 18, 16, 16], [10, 2, 128, 128, 100, 24], [3, 1, 80, 80, 290, 16], [2, 1, 48, 48, 0, 128],
        ];
        foreach (int[] shape in shapes)
            Check(set, kv, new AttentionShape(shape[0], shape[1], shape[2], 0.4f, shape[4]), shape[3], shape[5], tokens: 300, norm: shape[0] % 4 == 0);
    }

    private static void Check(string set, KvType kv, AttentionShape shape, int rotaryDim, int blockSize, int tokens, bool norm)
    {
        Random random = new(shape.Heads * 1000 + shape.HeadDim);
        using CpuBackend backend = Samples.Backend(set, threads: 2, kv);
        float[][] qkv = [.. Enumerable.Range(0, tokens).Select(_ => Samples.Floats(random, shape.QkvColumns, 2))];
        MemoryTensor queryGain = MemoryTensor.Random(random, ElementType.F32, 1, shape.HeadDim), keyGain = MemoryTensor.Random(random, ElementType.F32, 1, shape.HeadDim);
        QkNorm? headNorm = norm ? new QkNorm(backend.LoadVector(queryGain), backend.LoadVector(keyGain), 1e-6f) : null;
        RopeTable rope = TinyModel.LoadRope(backend, tokens, rotaryDim, ThetaBase);
        KvCache cache = backend.AllocateKvCache(new KvCacheShape(2, shape.KvHeads, shape.HeadDim, blockSize, 75));
        int[] table = [.. Enumerable.Range(0, (tokens + blockSize - 1) / blockSize)];
        Array.Reverse(table);
        Activation rows = backend.Fill(qkv), output = backend.AllocateActivation(tokens, shape.QueryColumns);
        backend.BeginStep(new PlanBuilder(blockSize, tokens).Next().Add(new int[tokens], 0, table).Build(), cache);
        backend.RopeAndStoreKv(rows, shape, rope, headNorm, cache, layer: 1);
        backend.PagedAttention(rows, shape, cache, layer: 1, output);
        backend.EndStep();
        float[][] found = backend.ReadAll(output);
        for (int head = 0; head < shape.Heads; head++)
            CheckHead(kv, qkv, shape, rotaryDim, head, norm ? (queryGain.Values, keyGain.Values) : null, found);
    }

    private static void CheckHead(KvType kv, float[][] qkv, AttentionShape shape, int rotaryDim, int head, (float[] Query, float[] Key)? gains, float[][] found)
    {
        int kvHead = head / (shape.Heads / shape.KvHeads), size = shape.HeadDim;
        double[] Turned(float[] row, int start, int position, float[]? gain)
        {
            ReadOnlySpan<float> part = row.AsSpan(start, size);
            double[] values = gain is null ? [.. part.ToArray().Select(v => (double)v)] : Twins.RmsNorm(part, gain, 1e-6);
            return Twins.Rope(values, position, rotaryDim, ThetaBase);
        }

        double[][] keys = [.. qkv.Select((row, p) => Twins.Stored(Turned(row, shape.QueryColumns + kvHead * size, p, gains?.Key), kv))];
        double[][] values = [.. qkv.Select(row => Twins.Stored([.. row.AsSpan(shape.QueryColumns + shape.KvColumns + kvHead * size, size).ToArray().Select(v => (double)v)], kv))];
        foreach (int position in new[] { 0, 1, 7, 8, 15, 16, 17, 40, 63, 64, 65, 127, 128, 149, 255, 256, 257, 299 })
        {
            int first = shape.Window > 0 ? Math.Max(0, position - shape.Window + 1) : 0;
            double[] expected = Twins.Attention(Turned(qkv[position], head * size, position, gains?.Query), keys, values, first, position, shape.Scale);
            for (int d = 0; d < size; d++)
                Samples.AssertClose(expected[d], found[position][head * size + d], 2, Bounds[kv], $"{kv}, {shape}, position {position}, head {head}, dimension {d}");
        }
    }
}
