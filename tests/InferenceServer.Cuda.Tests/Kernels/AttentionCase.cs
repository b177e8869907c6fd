using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Tests.Plain;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>Sequences over a paged cache with shuffled blocks: their queries, and what attention must give.</summary>
internal sealed class AttentionCase
{
    private readonly float[] _qkv, _keys, _values;
    private readonly int[] _tables, _tableOf;

    /// <param name="computed">Tokens of each sequence that are stored before its rows.</param>
    /// <param name="rows">Rows of each sequence in the step.</param>
    public AttentionCase(int heads, int kvHeads, int headDim, int blockShift, int[] computed, int[] rows, ElementType precision = ElementType.BF16, int window = 0)
    {
        (Heads, KvHeads, HeadDim, BlockShift, Computed, Rows, Precision, Window) = (heads, kvHeads, headDim, blockShift, computed, rows, precision, window);
        Random random = new(heads * 100 + headDim + computed.Sum());
        int blockSize = 1 << blockShift, blocks = 1;
        _tableOf = new int[rows.Length];
        List<int> tables = [7, 7]; // what comes before belongs to somebody else
        for (int s = 0; s < rows.Length; s++)
        {
            _tableOf[s] = tables.Count;
            for (int b = 0; b < (computed[s] + rows[s] + blockSize - 1) / blockSize; b++) tables.Add(blocks++);
        }

        int[] shuffled = [.. Enumerable.Range(0, blocks).OrderBy(_ => random.Next())];
        _tables = [.. tables.Select(t => shuffled[t % blocks])];
        Tokens = rows.Sum();
        QkvStride = (heads + 2 * kvHeads) * headDim;
        _qkv = Numbers.Rows(random, Tokens, QkvStride, QkvStride, precision);
        _keys = Numbers.Rows(random, 1, blocks * blockSize * kvHeads * headDim, blocks * blockSize * kvHeads * headDim, precision);
        _values = Numbers.Rows(random, 1, _keys.Length, _keys.Length, precision);
    }

    public int Heads { get; }

    public int KvHeads { get; }

    public int HeadDim { get; }

    public int BlockShift { get; }

    public int[] Computed { get; }

    public int[] Rows { get; }

    public ElementType Precision { get; }

    public int Window { get; }

    public int Tokens { get; }

    public int QkvStride { get; }

    /// <summary>Decodes every sequence, which has one row each, its keys in pieces of so many.</summary>
    public float[] Decode(KernelRig rig, int piece, int walkers = 3, int launches = 1)
    {
        List<DecodeItem> items = [];
        int partials = 0;
        for (int s = 0; s < Rows.Length; s++)
        {
            int end = Computed[s] + 1, splits = (end + piece - 1) / piece;
            for (int i = 0; i < splits; i++)
                items.Add(new DecodeItem { Token = s, Table = _tableOf[s], Begin = i * piece, End = Math.Min(end, (i + 1) * piece), Split = i, Splits = splits, Partial = partials, Length = end });
            partials += splits;
        }

        DecodeParams parameters = new()
        {
            Qkv = rig.Upload<ushort>(KernelRig.Narrow(_qkv, Precision)),
            KCache = rig.Upload<ushort>(KernelRig.Narrow(_keys, Precision)),
            VCache = rig.Upload<ushort>(KernelRig.Narrow(_values, Precision)),
            Tables = rig.Upload<int>(_tables),
            Items = rig.Upload<DecodeItem>(items.ToArray()),
            ItemCount = rig.Upload<int>([items.Count]),
            PartialOut = rig.Allocate(partials * Heads * HeadDim * 4),
            PartialMl = rig.Allocate(partials * Heads * 2 * 4),
            Counters = rig.Zeros(partials * Heads * 4),
            Out = rig.Allocate(Tokens * Heads * HeadDim * 2),
            QkvStride = QkvStride,
            OutStride = Heads * HeadDim,
            Heads = Heads,
            KvHeads = KvHeads,
            HeadDim = HeadDim,
            BlockShift = BlockShift,
            Window = Window,
            ScaleLog2 = (float)(1 / Math.Sqrt(HeadDim) / Math.Log(2)),
        };
        AttentionDecodeKernel kernel = new(rig.Library, Precision, HeadDim, Heads / KvHeads);
        for (int i = 0; i < launches; i++) kernel.Launch(rig.Stream, parameters, walkers);
        return KernelRig.Widen(rig.Download<ushort>(parameters.Out, Tokens * Heads * HeadDim), Precision);
    }

    public float[] Prefill(KernelRig rig)
    {
        List<PrefillItem> items = [];
        for (int s = 0, token = 0; s < Rows.Length; token += Rows[s++])
            for (int row = 0; row < Rows[s]; row += AttentionPrefillKernel.Rows)
                items.Add(new PrefillItem { Token = token + row, Rows = Math.Min(AttentionPrefillKernel.Rows, Rows[s] - row), Position = Computed[s] + row, Table = _tableOf[s] });
        PrefillParams parameters = new()
        {
            Qkv = rig.Upload<ushort>(KernelRig.Narrow(_qkv, Precision)),
            KCache = rig.Upload<ushort>(KernelRig.Narrow(_keys, Precision)),
            VCache = rig.Upload<ushort>(KernelRig.Narrow(_values, Precision)),
            Tables = rig.Upload<int>(_tables),
            Items = rig.Upload<PrefillItem>(items.ToArray()),
            Out = rig.Allocate(Tokens * Heads * HeadDim * 2),
            QkvStride = QkvStride,
            OutStride = Heads * HeadDim,
            Heads = Heads,
            KvHeads = KvHeads,
            HeadDim = HeadDim,
            BlockShift = BlockShift,
            Window = Window,
            ScaleLog2 = (float)(1 / Math.Sqrt(HeadDim) / Math.Log(2)),
        };
        new AttentionPrefillKernel(rig.Library, Precision, HeadDim).Launch(rig.Stream, parameters, items.Count);
        return KernelRig.Widen(rig.Download<ushort>(parameters.Out, Tokens * Heads * HeadDim), Precision);
    }

    /// <summary>(tokens, heads * headDim)</summary>
    public double[] Expected()
    {
        double[] expected = new double[Tokens * Heads * HeadDim];
        int token = 0;
        for (int s = 0; s < Rows.Length; s++)
            for (int row = 0; row < Rows[s]; row++, token++)
                for (int head = 0; head < Heads; head++)
                {
                    int end = Computed[s] + row + 1, begin = Window > 0 ? Math.Max(0, end - Window) : 0, kv = head / (Heads / KvHeads), table = _tableOf[s];
                    double[] result = PlainAttention.Attend(
                        _qkv.AsSpan(token * QkvStride + head * HeadDim, HeadDim), (p, d) => _keys[At(table, p, kv) + d], (p, d) => _values[At(table, p, kv) + d], begin, end, 1 / Math.Sqrt(HeadDim));
                    result.CopyTo(expected, (token * Heads + head) * HeadDim);
                }

        return expected;
    }

    public void Check(float[] found)
    {
        double distance = Numbers.Distance(Expected(), found, 1, found.Length, 0, 0);
        Assert.True(distance <= Numbers.Tolerance(Precision), $"{Heads}/{KvHeads} heads of {HeadDim}, blocks of {1 << BlockShift}, window {Window}, {Precision}: relative error {distance:e2}");
    }

    private int At(int table, int position, int kvHead) =>
        (((_tables[table + (position >> BlockShift)] * KvHeads + kvHead) << BlockShift) + (position & ((1 << BlockShift) - 1))) * HeadDim;
}
