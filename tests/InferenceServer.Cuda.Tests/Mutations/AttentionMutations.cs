using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Tests.Kernels;

namespace InferenceServer.Cuda.Tests.Mutations;

/// <summary>Bugs in attention and sampling.</summary>
internal static class AttentionMutations
{
    public static IReadOnlyList<Mutation> All { get; } =
    [
        Decode("a key too many", "valid[u] = position < item.end;", "valid[u] = position <= item.end;"),
        Decode("the window is one short", "? item.length - p.window : 0", "? item.length - p.window + 1 : 0"),
        Decode("combined one piece too early", "== item.splits - 1;", "== item.splits - 2;"),
        Decode("the counter is not reset", "if (shared.last) *counter = 0;", ""),
        Decode("the sum keeps its old scale", "s.sum[g] *= shrink;", ""),
        Decode("groups are taken as large as compiled", "kv_head * group + first", "kv_head * G + first"),
        Decode("a block index is read past the table", "const int safe = valid[u] ? position : begin;", "const int safe = position;"),
        Decode("no barrier before the maxima are read", "bar_sync();\n    UNROLL for (int g = 0; g < G; g++) {\n      float top = NO_KEY;", "UNROLL for (int g = 0; g < G; g++) {\n      float top = NO_KEY;"),
        Decode("no barrier before the next item", "bar_sync();  // shared memory is free for the next item", ""),
        Decode("rows are as far apart as the output's", "(u64)token * p.qkv_stride", "(u64)token * p.out_stride"),
        Decode("a misaligned load", "(const T*)p.v_cache + offset", "(const T*)p.v_cache + offset + 1"),
        Decode("a shuffle in a divergent branch", "UNROLL for (int mask = LANES / 2; mask; mask >>= 1)", "if (valid[0]) UNROLL for (int mask = LANES / 2; mask; mask >>= 1)"),
        Decode("pieces are added without their scales", "const float weight = exp2_approx(load_l2(p.partial_ml + piece * 2) - top);", "const float weight = 1.f;"),
        Decode("a warp leaves its shared memory unwritten", "if (key == 0) shared.out", "if (key == 0 && warp > 0) shared.out"),
        Decode("the head within a block is not counted", "<< p.block_shift) + (safe & block_mask)", "<< p.block_shift) + (safe & 7)"),

        Decode("no fence before the arrival is counted", "thread_fence();\n    bar_sync();", "bar_sync();") with { Elusive = "the stand-in's memory is strongly ordered" },

        Prefill("one copy too few is waited for", "copy_async_wait<1>();\n      bar_sync();", "copy_async_wait<2>();\n      bar_sync();"),
        Prefill("the queries are not waited for", "copy_async_wait<1>();\n    bar_sync();", "bar_sync();"),
        Prefill("no barrier before a stage is refilled", "bar_sync();  // all warps are done with this stage before it is refilled", ""),
        Prefill("no barrier before the queries are overwritten", "bar_sync();  // the queries are in registers: stage 1 is free", ""),
        Prefill("a row does not see itself", "key <= position &&", "key < position &&"),
        Prefill("a row sees the next one", "key <= position &&", "key <= position + 1 &&"),
        Prefill("the window is one long", "oldest = p.window > 0 ? position - p.window + 1 : 0;", "oldest = p.window > 0 ? position - p.window : 0;"),
        Prefill("tiles of the window are skipped", "item.position - p.window + 1 : 0;  // for the first row", "item.position : 0;"),
        Prefill("values are not transposed", "load_matrix_x4_trans(v,", "load_matrix_x4(v,"),
        Prefill("values are read without the swizzle", "values + swizzle(kk * 16 + (lane & 15), n * 2 + (lane >> 4))", "values + (u32)((kk * 16 + (lane & 15)) * CHUNKS + n * 2 + (lane >> 4)) * 16u"),
        Prefill("no swizzle anywhere", "(c ^ (CHUNKS >= 8 ? r & 7 : (r >> 1) & 3))", "c"),
        Prefill("a block index is read past the table", "const int position = valid ? first + r : 0;", "const int position = first + r;"),
        Prefill("half of the output keeps its old scale", "out[i][h * 2 + 1] *= shrink;", ""),
        Prefill("queries are read past the last row", "const bool valid = r < item.rows && chunk", "const bool valid = chunk"),

        Sample("one token more than top-k", "select(shared, row, wanted.top_k,", "select(shared, row, wanted.top_k + 1,"),
        Sample("words of the generator in another order", "words[1] = c1;\n  words[2] = c2;", "words[1] = c2;\n  words[2] = c1;"),
        Sample("the choice is not fed back", "if (!(wanted.flags & SAMPLE_SCORE)) p.feed[blockIdx.x] = out.failed ? 0 : out.token;", ""),
        Sample("a token on its way is not counted", "p.edits[i].value + extra", "p.edits[i].value"),
        Sample("all ties are kept", "if (shared.bins[shared.bin] <= ties * each) return kept;", "if (ties) return kept;"),
        Sample("negative logits are divided too", "logit > 0.f ? logit / row.repetition : logit * row.repetition", "logit / row.repetition"),
        Sample("no barrier before bins are counted", "shared.bins[i] = 0;\n    bar_sync();", "shared.bins[i] = 0;"),
        Sample("mask bits from the other end", ">> (token & 31) & 1", ">> (31 - (token & 31)) & 1"),
        Sample("the raw row keeps a penalty", "raw.logits[pending] = pending_raw;", "raw.logits[pending] += 0.f;"),
        Sample("NaN goes unnoticed", "nan |= is_nan(value);", ""),
        Sample("no temperature", "(row.at(first + j) - top) * scale", "(row.at(first + j) - top)"),
        Sample("min-p is forgotten", "&& weight(value) >= wanted.min_p", ""),
        Sample("bans are forgotten", "logits[p.edits[i].token] = -infinity();", "logits[p.edits[i].token] += 0.f;"),
    ];

    private static Mutation Decode(string name, string find, string replace) => new("attention_decode", name, find, replace, CheckDecode) { Kernels = ("DECODE_GROUPS(32)", "DECODE(64, 4)") };

    private static Mutation Prefill(string name, string find, string replace) => new("attention_prefill", name, find, replace, CheckPrefill) { Kernels = ("PREFILL(32", "PREFILL(64, 64)") };

    private static Mutation Sample(string name, string find, string replace) => new("sampling", name, find, replace, CheckSampling);

    private static void CheckDecode(KernelSource source)
    {
        foreach (int window in new[] { 0, 20 })
            foreach (int walkers in new[] { 1, 3 })
            {
                AttentionSize size = new(6, 2, 64) { Window = window };
                using KernelRig rig = new(source, seed: walkers);
                double distance = new AttentionScene(size, [140, 5, 133], [1, 1, 1]).DecodeDistance(rig, [1, 1, 4], walkers);
                Assert.True(distance <= Numbers.NarrowTolerance, $"relative error {distance:e2}");
            }
    }

    private static void CheckPrefill(KernelSource source)
    {
        foreach (int window in new[] { 0, 30 })
        {
            AttentionSize size = new(2, 1, 64) { Window = window };
            using KernelRig rig = new(source, seed: window, profile: true);
            double distance = new AttentionScene(size, [70, 133], [70, 67]).PrefillDistance(rig);
            Assert.True(distance <= Numbers.NarrowTolerance, $"relative error {distance:e2}");
            AttentionLintTests.CheckShared(rig, "attention_prefill_bf16_hd64");
        }
    }

    private static void CheckSampling(KernelSource source)
    {
        Random random = new(5);
        using KernelRig rig = new(source);
        SamplingScene few = new(12), drawn = new(60), greedy = new(14), broken = new(60);
        for (int i = 0; i < 250; i++) SamplingKernelTests.AddFlat(few, random);
        for (int i = 0; i < 60; i++) SamplingKernelTests.AddRandom(drawn, random, greedy: false);
        for (int i = 0; i < 60; i++) SamplingKernelTests.AddRandom(greedy, random, greedy: true);
        float[] logits = SamplingKernelTests.Logits(random, 60);
        logits[41] = float.NaN;
        broken.Add(logits, new() { Temperature = 0 });
        SamplingKernelTests.CheckDraws(few, rig);
        SamplingKernelTests.CheckDraws(drawn, rig);
        SamplingKernelTests.CheckHost(greedy, rig);
        SamplingKernelTests.CheckHost(broken, rig);
    }
}
