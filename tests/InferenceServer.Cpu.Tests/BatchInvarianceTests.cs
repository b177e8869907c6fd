using InferenceServer.Core.Compute;

namespace InferenceServer.Cpu.Tests;

/// <summary>
/// The room's invariant, bit for bit through whole layers: a token's logits do not depend on its neighbours, on the threads, on how its prompt
/// was cut, nor on where its blocks lie.
/// </summary>
public sealed class BatchInvarianceTests
{
    private const int Length = 120;

    private static readonly string Best = Kernels.KernelTable.Best.ToString();

    public static TheoryData<string> Sets => Samples.InstructionSets();

    public static MatrixTheoryData<string, KvType> KvTypes => Samples.SetsAndKvTypes();

    [Theory]
    [MemberData(nameof(Sets))]
    public void Any_cut_of_the_prompt_gives_the_same_logits(string set)
    {
        foreach (ElementType type in Samples.FloatTypes)
        {
            float[][] expected = Alone(set, type, 0, Prompt(1), cut: Length);
            foreach (int cut in new[] { 1, 2, 3, 7, 8, 9, 31, 50 })
                AssertSame(expected, Alone(set, type, 0, Prompt(1), cut), $"{set} {type} cut by {cut}");
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void A_sliding_window_is_as_invariant(string set)
    {
        foreach (int window in new[] { 1, 5, 16, 33, 70 })
        {
            float[][] expected = Alone(set, ElementType.F32, window, Prompt(2), cut: Length);
            foreach (int cut in new[] { 1, 7, 20 })
                AssertSame(expected, Alone(set, ElementType.F32, window, Prompt(2), cut), $"{set} window {window} cut by {cut}");
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void Random_neighbours_threads_cuts_and_block_tables_change_nothing(string set)
    {
        int[][] prompts = [.. Enumerable.Range(0, 6).Select(i => Prompt(100 + i))];
        float[][][] expected = [.. prompts.Select(p => Alone(set, ElementType.BF16, 0, p, cut: Length))];
        for (int seed = 0; seed < 6; seed++)
        {
            Random random = new(seed);
            using TinyModel model = new(Samples.Backend(set, threads: 1 + seed % 4));
            float[][][] found = Together(model, prompts, random);
            for (int s = 0; s < prompts.Length; s++) AssertSame(expected[s], found[s], $"{set} seed {seed}, sequence {s}");
        }
    }

    [Theory]
    [MemberData(nameof(KvTypes))]
    public void However_keys_and_values_are_stored_cuts_and_neighbours_change_nothing(string set, KvType kv)
    {
        int[][] prompts = [.. Enumerable.Range(0, 6).Select(i => Prompt(200 + i))];
        float[][][] expected = [.. prompts.Select(p => Alone(set, ElementType.BF16, 0, p, cut: Length, kv))];
        AssertSame(expected[0], Alone(set, ElementType.BF16, 0, prompts[0], cut: 7, kv), $"{set} {kv} cut by 7");
        for (int seed = 0; seed < 3; seed++)
        {
            using TinyModel model = new(Samples.Backend(set, threads: 1 + seed, kv));
            float[][][] found = Together(model, prompts, new Random(seed));
            for (int s = 0; s < prompts.Length; s++) AssertSame(expected[s], found[s], $"{set} {kv} seed {seed}, sequence {s}");
        }
    }

    [Theory]
    [InlineData(KvType.F32)]
    [InlineData(KvType.BF16)]
    [InlineData(KvType.Q8)]
    public void Stale_numbers_in_a_block_never_reach_a_token(KvType kv)
    {
        // A sequence of NaN fills the pool first; its blocks are then another's.
        int[] prompt = Prompt(3);
        float[][] expected = Alone(Best, ElementType.F32, 0, prompt, cut: Length, kv);
        using CpuBackend backend = Samples.Backend(1, kv);
        using TinyModel model = new(backend, ElementType.F32);
        Poison(backend, model.Cache);
        float[][] found = Run(model, prompt, cut: 3, [.. Enumerable.Range(0, 15)]);
        AssertSame(expected, found, "after NaN");
    }

    [Theory]
    [InlineData(KvType.F32)]
    [InlineData(KvType.BF16)]
    [InlineData(KvType.Q8)]
    public void A_copied_block_reads_like_its_source(KvType kv)
    {
        int[] prompt = Prompt(4);
        float[][] expected = Alone(Best, ElementType.BF16, 0, prompt, cut: Length, kv);
        using TinyModel model = new(Samples.Backend(2, kv));
        Run(model, prompt[..30], 30, [0, 1, 2, 3]);
        PlanBuilder builder = new(TinyModel.BlockSize);
        float[][] found = model.Step(builder.Next().Copy(3, 9).Add(prompt.AsSpan(30), 30, [0, 1, 2, .. Enumerable.Range(9, 12)]).Build());
        AssertSame(expected[30..], found, "after the copy");
    }

    internal static int[] Prompt(int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, Length).Select(_ => random.Next(TinyModel.Vocabulary))];
    }

    private static float[][] Alone(string set, ElementType type, int window, int[] prompt, int cut, KvType kv = KvType.F32)
    {
        using TinyModel model = new(Samples.Backend(set, 1, kv), type, window);
        return Run(model, prompt, cut, [.. Enumerable.Range(0, 15)]);
    }

    private static float[][] Run(TinyModel model, int[] prompt, int cut, int[] table)
    {
        PlanBuilder builder = new(TinyModel.BlockSize);
        List<float[]> logits = [];
        for (int done = 0; done < prompt.Length; done += cut)
            logits.AddRange(model.Step(builder.Next().Add(prompt.AsSpan(done, Math.Min(cut, prompt.Length - done)), done, table).Build()));
        return [.. logits];
    }

    /// <summary>All prompts side by side: each step takes random chunks of a random choice of them, over shuffled blocks.</summary>
    private static float[][][] Together(TinyModel model, int[][] prompts, Random random)
    {
        int[] blocks = [.. Enumerable.Range(0, TinyModel.Blocks)];
        random.Shuffle(blocks);
        int[][] tables = [.. blocks.Chunk(15).Take(prompts.Length)];
        int[] done = new int[prompts.Length];
        List<float[]>[] logits = [.. prompts.Select(_ => new List<float[]>())];
        PlanBuilder builder = new(TinyModel.BlockSize);
        while (done.Any(d => d < Length))
        {
            builder.Next();
            List<(int Sequence, int Count)> parts = [];
            foreach (int s in Enumerable.Range(0, prompts.Length).Where(s => done[s] < Length && random.Next(3) > 0))
            {
                int count = Math.Min(random.Next(1, random.Next(2) == 0 ? 2 : 11), Length - done[s]);
                builder.Add(prompts[s].AsSpan(done[s], count), done[s], tables[s]);
                parts.Add((s, count));
                done[s] += count;
            }

            float[][] rows = model.Step(builder.Build());
            int row = 0;
            foreach ((int sequence, int count) in parts) logits[sequence].AddRange(rows[row..(row += count)]);
        }

        return [.. logits.Select(l => l.ToArray())];
    }

    private static unsafe void Poison(CpuBackend backend, KvCache cache)
    {
        Handles.CpuKvCache own = (Handles.CpuKvCache)cache;
        for (int layer = 0; layer < own.Shape.Layers; layer++)
        {
            for (int block = 0; block < own.Shape.BlockCount; block++)
                new Span<byte>(own.Block(layer, block), (int)own.BlockBytes).Fill(0xFF);
        }

        Assert.Equal("cpu", backend.Name);
    }

    private static void AssertSame(float[][] expected, float[][] found, string where)
    {
        Assert.Equal(expected.Length, found.Length);
        Assert.All(expected[0], value => Assert.True(float.IsFinite(value)));
        for (int t = 0; t < expected.Length; t++) Samples.AssertSameBits(expected[t], found[t], $"{where}, token {t}");
    }
}
