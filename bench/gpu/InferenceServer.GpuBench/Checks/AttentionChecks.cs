using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Steps;
using InferenceServer.GpuBench.Probes;

namespace InferenceServer.GpuBench.Checks;

/// <summary>RoPE with the store into the cache, and attention over it: 4 query heads on each of 2 key heads, blocks of 16.</summary>
internal sealed class AttentionChecks(ProbeDevice device, CheckSizes sizes, CheckBuffers b)
{
    private const int Heads = 8, KvHeads = 2, BlockShift = AttentionBuffers.BlockShift;

    public double Rope()
    {
        const int HeadDim = 64, Half = HeadDim / 2, Columns = (Heads + 2 * KvHeads) * HeadDim;
        int[] positions = [0, 5, 9], slots = [17, 33, -1];
        float[] qkv = b.Numbers(positions.Length * Columns), cosines = new float[10 * Half], sines = new float[10 * Half];
        for (int i = 0; i < cosines.Length; i++) (sines[i], cosines[i]) = MathF.SinCos(i / Half * MathF.Pow(10000, -(float)(i % Half) / Half));
        ulong data = b.Half(qkv), keys = b.Zeros(2L * 64 * KvHeads * HeadDim), values = b.Zeros(2L * 64 * KvHeads * HeadDim);
        new RopeKernel(device.Kernels, b.Precision).Launch(device.Stream, new RopeParams
        {
            Qkv = data,
            Cosines = b.Upload<float>(cosines),
            Sines = b.Upload<float>(sines),
            Positions = b.Upload<int>(positions),
            Slots = b.Upload<int>(slots),
            KCache = keys,
            VCache = values,
            Tokens = positions.Length,
            Heads = Heads,
            KvHeads = KvHeads,
            HeadDim = HeadDim,
            RotaryDim = HeadDim,
            QkvStride = Columns,
            BlockShift = BlockShift,
        });
        double[] expected = [.. qkv.Select(v => (double)v)];
        double[] expectedKeys = new double[64 * KvHeads * HeadDim], expectedValues = new double[expectedKeys.Length];
        for (int t = 0; t < positions.Length; t++)
        {
            for (int at = 0; at < (Heads + KvHeads) * Half; at++)
            {
                int low = t * Columns + at / Half * HeadDim + at % Half, angle = positions[t] * Half + at % Half;
                (expected[low], expected[low + Half]) = (qkv[low] * (double)cosines[angle] - qkv[low + Half] * (double)sines[angle], qkv[low + Half] * (double)cosines[angle] + qkv[low] * (double)sines[angle]);
            }

            for (int at = 0; at < KvHeads * HeadDim && slots[t] >= 0; at++)
            {
                int place = CacheIndex(slots[t], at / HeadDim, HeadDim) + at % HeadDim;
                expectedKeys[place] = expected[t * Columns + Heads * HeadDim + at];
                expectedValues[place] = expected[t * Columns + (Heads + KvHeads) * HeadDim + at];
            }
        }

        return Math.Max(KernelChecks.Distance(expected, b.ReadHalf(data, qkv.Length)),
            Math.Max(KernelChecks.Distance(expectedKeys, b.ReadHalf(keys, expectedKeys.Length)), KernelChecks.Distance(expectedValues, b.ReadHalf(values, expectedValues.Length))));
    }

    /// <summary>One query row of each sequence, keys in pieces.</summary>
    public double Decode(int headDim)
    {
        int[] contexts = sizes.Contexts;
        StepPlan plan = new(contexts.Length, contexts.Length, contexts.Length) { TokenCount = contexts.Length, SequenceCount = contexts.Length };
        int block = 0;
        for (int s = 0; s < contexts.Length; s++)
        {
            int[] table = [.. Enumerable.Range(block, (contexts[s] + 15) / 16)];
            block += table.Length;
            plan.Sequences[s] = new StepSequence { FirstToken = s, TokenCount = 1, ComputedTokens = contexts[s] - 1, BlockTable = table, BlockCount = table.Length };
        }

        Case data = new(b, plan, headDim, block);
        AttentionWork work = new(contexts.Length, contexts.Length, KvHeads, device.Context.SmCount);
        work.Plan(plan, AttentionBuffers.TableOffsets(plan));
        DecodeItem[] items = work.DecodeItems.ToArray();
        new AttentionDecodeKernel(device.Kernels, b.Precision, headDim, Heads / KvHeads).Launch(device.Stream, new DecodeParams
        {
            Qkv = data.Qkv,
            KCache = data.KeysAt,
            VCache = data.ValuesAt,
            Tables = data.Tables,
            Items = b.Upload<DecodeItem>(items),
            ItemCount = b.Upload<int>([items.Length]),
            PartialOut = b.Poisoned(4L * items.Length * Heads * headDim),
            PartialMl = b.Poisoned(8L * items.Length * Heads),
            Counters = b.Zeros(4L * items.Length * Heads),
            Out = data.Out,
            QkvStride = data.Columns,
            OutStride = Heads * headDim,
            Heads = Heads,
            KvHeads = KvHeads,
            HeadDim = headDim,
            BlockShift = BlockShift,
            ScaleLog2 = data.ScaleLog2,
        }, Math.Max(1, items.Length / 2)); // fewer walkers than items: some take two
        return data.Error(b);
    }

    /// <summary>A prompt whose first part is in the cache already.</summary>
    public double Prefill(int headDim)
    {
        int context = sizes.Prefix + sizes.Prompt, blocks = (context + 15) / 16;
        StepPlan plan = new(sizes.Prompt, 1, 1) { TokenCount = sizes.Prompt, SequenceCount = 1 };
        plan.Sequences[0] = new StepSequence { TokenCount = sizes.Prompt, ComputedTokens = sizes.Prefix, BlockTable = [.. Enumerable.Range(0, blocks).Reverse()], BlockCount = blocks };
        Case data = new(b, plan, headDim, blocks);
        AttentionWork work = new(sizes.Prompt, 1, KvHeads, device.Context.SmCount);
        work.Plan(plan, [0]);
        PrefillItem[] items = work.PrefillItems.ToArray();
        new AttentionPrefillKernel(device.Kernels, b.Precision, headDim).Launch(device.Stream, new PrefillParams
        {
            Qkv = data.Qkv,
            KCache = data.KeysAt,
            VCache = data.ValuesAt,
            Tables = data.Tables,
            Items = b.Upload<PrefillItem>(items),
            Out = data.Out,
            QkvStride = data.Columns,
            OutStride = Heads * headDim,
            Heads = Heads,
            KvHeads = KvHeads,
            HeadDim = headDim,
            BlockShift = BlockShift,
            ScaleLog2 = data.ScaleLog2,
        }, items.Length);
        return data.Error(b);
    }

    /// <summary>A layer's cache is (blocks, kv heads, block size, head size).</summary>
    private static int CacheIndex(int slot, int kvHead, int headDim) => ((((slot >> BlockShift) * KvHeads + kvHead) << BlockShift) + (slot & 15)) * headDim;

    /// <summary>Inputs of attention and the plain formula over them.</summary>
    private sealed class Case
    {
        private readonly StepPlan _plan;
        private readonly int _headDim;
        private readonly float[] _qkv, _keys, _values;

        public Case(CheckBuffers b, StepPlan plan, int headDim, int blocks)
        {
            (_plan, _headDim) = (plan, headDim);
            Columns = (Heads + 2 * KvHeads) * headDim;
            _qkv = b.Numbers(plan.TokenCount * Columns);
            _keys = b.Numbers((blocks << BlockShift) * KvHeads * headDim);
            _values = b.Numbers(_keys.Length);
            (Qkv, KeysAt, ValuesAt) = (b.Half(_qkv), b.Half(_keys), b.Half(_values));
            Tables = b.Upload<int>([.. plan.Sequences.Take(plan.SequenceCount).SelectMany(s => s.BlockTable)]);
            Out = b.Poisoned(2L * plan.TokenCount * Heads * headDim);
        }

        public int Columns { get; }

        public ulong Qkv { get; }

        public ulong KeysAt { get; }

        public ulong ValuesAt { get; }

        public ulong Tables { get; }

        public ulong Out { get; }

        public float ScaleLog2 => (float)(Math.Log2(Math.E) / Math.Sqrt(_headDim));

        public double Error(CheckBuffers b)
        {
            double[] expected = new double[_plan.TokenCount * Heads * _headDim];
            for (int s = 0; s < _plan.SequenceCount; s++)
                for (int t = 0; t < _plan.Sequences[s].TokenCount; t++)
                    for (int h = 0; h < Heads; h++) Attend(_plan.Sequences[s], t, h, expected);
            return KernelChecks.Distance(expected, b.ReadHalf(Out, expected.Length));
        }

        private void Attend(in StepSequence sequence, int token, int head, double[] output)
        {
            int row = sequence.FirstToken + token, keys = sequence.ComputedTokens + token + 1, kvHead = head / (Heads / KvHeads);
            double[] scores = new double[keys];
            for (int p = 0; p < keys; p++)
                for (int i = 0; i < _headDim; i++) scores[p] += _qkv[row * Columns + head * _headDim + i] * (double)_keys[Place(sequence, p, kvHead) + i] / Math.Sqrt(_headDim);
            double top = scores.Max(), sum = scores.Sum(score => Math.Exp(score - top));
            for (int p = 0; p < keys; p++)
                for (int i = 0; i < _headDim; i++)
                    output[(row * Heads + head) * _headDim + i] += Math.Exp(scores[p] - top) / sum * _values[Place(sequence, p, kvHead) + i];
        }

        private int Place(in StepSequence sequence, int position, int kvHead) =>
            CacheIndex((sequence.BlockTable[position >> BlockShift] << BlockShift) + (position & 15), kvHead, _headDim);
    }
}
