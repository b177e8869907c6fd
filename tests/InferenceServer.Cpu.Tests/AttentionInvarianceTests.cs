using InferenceServer.Core.Compute;

namespace InferenceServer.Cpu.Tests;

/// <summary>
/// Attention alone over contexts of several tiles, where its work is split among threads and partial results are merged: the same bits, however the
/// prompt was cut, whatever runs beside it, on however many threads, in whatever blocks.
/// </summary>
public sealed class AttentionInvarianceTests
{
    private const int Length = 700;

    public static MatrixTheoryData<string, KvType> Sets => Samples.SetsAndKvTypes();

    [Theory]
    [MemberData(nameof(Sets))]
    public void Long_contexts_are_invariant_to_cuts_threads_and_neighbours(string set, KvType kv)
    {
        int[][] shapes = // heads, kvHeads, headDim, window, blockSize
        [
            [16, 2, 64, 0, 16], [4, 4, 16, 0, 32], [6, 2, 34, 0, 8], [8, 1, 18, 300, 16], [7, 1, 32, 3, 16], [2, 1, 66, 520, 64],
        ];
        foreach (int[] s in shapes)
        {
            AttentionShape shape = new(s[0], s[1], s[2], 0.3f, s[3]);
            float[][] qkv = [.. Rows(shape, seed: 1)], other = [.. Rows(shape, seed: 2)];
            float[][] expected = Attend(set, kv, shape, s[4], qkv, Length, threads: 1, null);
            foreach ((int cut, int threads, float[][]? beside) in new (int, int, float[][]?)[] { (Length, 4, null), (1, 3, null), (37, 2, other), (256, 3, other) })
            {
                float[][] found = Attend(set, kv, shape, s[4], qkv, cut, threads, beside);
                for (int t = 0; t < Length; t++)
                    Samples.AssertSameBits(expected[t], found[t], $"{set} {kv} {shape} cut by {cut} on {threads} threads, token {t}");
            }
        }
    }

    private static IEnumerable<float[]> Rows(AttentionShape shape, int seed)
    {
        Random random = new(seed);
        return Enumerable.Range(0, Length).Select(_ => Samples.Floats(random, shape.QkvColumns, 2));
    }

    /// <summary>Attention of a sequence, step by step; a neighbour of half its length may run beside it.</summary>
    private static float[][] Attend(
        string set, KvType kv, AttentionShape shape, int blockSize, float[][] qkv, int cut, int threads, float[][]? beside)
    {
        using CpuBackend backend = Samples.Backend(set, threads, kv);
        int blocks = (Length + blockSize - 1) / blockSize;
        int[] places = [.. Enumerable.Range(0, 2 * blocks)];
        new Random(cut).Shuffle(places);
        RopeTable rope = TinyModel.LoadRope(backend, Length, 2, 10_000);
        KvCache cache = backend.AllocateKvCache(new KvCacheShape(1, shape.KvHeads, shape.HeadDim, blockSize, 2 * blocks));
        PlanBuilder builder = new(blockSize, Length + cut);
        List<float[]> found = [];
        for (int done = 0; done < Length; done += cut)
        {
            int count = Math.Min(cut, Length - done), neighbours = beside is null ? 0 : Math.Min(count, Length / 2 - done / 2);
            builder.Next();
            if (neighbours > 0) builder.Add(new int[neighbours], done / 2, places[blocks..]);
            builder.Add(new int[count], done, places[..blocks]);
            Activation rows = backend.Fill([.. beside is null ? [] : beside[(done / 2)..(done / 2 + neighbours)], .. qkv[done..(done + count)]]);
            Activation output = backend.AllocateActivation(neighbours + count, shape.QueryColumns);
            backend.BeginStep(builder.Build(), cache);
            backend.RopeAndStoreKv(rows, shape, rope, null, cache, 0);
            backend.PagedAttention(rows, shape, cache, 0, output);
            backend.EndStep();
            found.AddRange(backend.ReadAll(output)[neighbours..]);
        }

        return [.. found];
    }
}
