using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Tests.Plain;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>What of a model and a cache attention depends on.</summary>
internal sealed record AttentionSize(int Heads, int KvHeads, int HeadDim)
{
    public int BlockShift { get; init; } = 4;

    public int Window { get; init; }

    public ElementType Precision { get; init; } = ElementType.BF16;

    public int Group => Heads / KvHeads;

    public int QkvStride => (Heads + 2 * KvHeads) * HeadDim + 16; // whole sectors

    public int OutStride => Heads * HeadDim + 8;
}

/// <summary>
/// Sequences in a paged cache whose blocks are shuffled, with query rows at the end of each. Slots that no sequence has written are NaN, so that a
/// key too many shows in the result.
/// </summary>
internal sealed class AttentionScene
{
    private readonly AttentionSize _size;
    private readonly int[] _lengths, _queries, _tables, _firstToken, _firstBlock;
    private readonly float[] _keys, _values, _qkv;

    /// <param name="lengths">(sequences) Keys of each, those of the queries included.</param>
    /// <param name="queries">(sequences) Query rows of each: its last positions.</param>
    public AttentionScene(AttentionSize size, int[] lengths, int[] queries, int seed = 1)
    {
        (_size, _lengths, _queries) = (size, lengths, queries);
        Random random = new(seed);
        int blockSize = 1 << size.BlockShift;
        int[] blocks = [.. lengths.Select(l => (l + blockSize - 1) / blockSize)];
        _firstBlock = [.. blocks.Select((_, s) => blocks[..s].Sum())];
        _firstToken = [.. queries.Select((_, s) => queries[..s].Sum())];
        _tables = [.. Enumerable.Range(0, blocks.Sum() + 2)];
        random.Shuffle(_tables);
        int slots = _tables.Length * size.KvHeads * blockSize;
        (_keys, _values) = (new float[slots * size.HeadDim], new float[slots * size.HeadDim]);
        Array.Fill(_keys, float.NaN);
        Array.Fill(_values, float.NaN);
        for (int s = 0; s < lengths.Length; s++)
            for (int position = 0; position < lengths[s]; position++)
                for (int head = 0; head < size.KvHeads; head++)
                {
                    Numbers.Rows(random, 1, size.HeadDim, size.HeadDim, size.Precision).CopyTo(_keys, Slot(s, position, head));
                    Numbers.Rows(random, 1, size.HeadDim, size.HeadDim, size.Precision).CopyTo(_values, Slot(s, position, head));
                }

        _qkv = Numbers.Rows(random, queries.Sum(), size.QkvStride, size.QkvStride, size.Precision);
    }

    /// <summary>Launches once or several times, as a captured graph would, and compares every query row with the plain attention.</summary>
    /// <param name="pieces">(sequences) Into how many the keys are cut, as far as there are that many.</param>
    public double DecodeDistance(KernelRig rig, int[] pieces, int walkers, int launches = 2)
    {
        List<DecodeItem> items = [];
        int partial = 0;
        for (int s = 0; s < _lengths.Length; s++)
        {
            int length = _lengths[s], keys = (length + pieces[s] - 1) / pieces[s], splits = (length + keys - 1) / keys;
            for (int i = 0; i < splits; i++)
                items.Add(new DecodeItem
                {
                    Token = _firstToken[s],
                    Table = _firstBlock[s],
                    Begin = i * keys,
                    End = Math.Min(length, (i + 1) * keys),
                    Split = i,
                    Splits = splits,
                    Partial = partial,
                    Length = length,
                });
            partial += splits;
        }

        DecodeParams parameters = new()
        {
            Qkv = Upload(rig, _qkv),
            KCache = Upload(rig, _keys),
            VCache = Upload(rig, _values),
            Tables = rig.Upload<int>(_tables),
            Items = rig.Upload<DecodeItem>(items.ToArray()),
            ItemCount = rig.Upload<int>([items.Count]),
            PartialOut = rig.Allocate(partial * _size.Heads * _size.HeadDim * sizeof(float)),
            PartialMl = rig.Allocate(partial * _size.Heads * 2 * sizeof(float)),
            Counters = rig.Zeros(partial * _size.Heads * sizeof(int)),
            Out = rig.Allocate(_lengths.Length * _size.OutStride * sizeof(ushort)),
            QkvStride = _size.QkvStride,
            OutStride = _size.OutStride,
            Heads = _size.Heads,
            KvHeads = _size.KvHeads,
            HeadDim = _size.HeadDim,
            BlockShift = _size.BlockShift,
            Window = _size.Window,
            ScaleLog2 = (float)(Scale * Math.Log2(Math.E)),
        };
        AttentionDecodeKernel kernel = new(rig.Library, _size.Precision, _size.HeadDim, _size.Group);
        for (int i = 0; i < launches; i++) kernel.Launch(rig.Stream, parameters, walkers);
        double distance = Distance(rig, parameters.Out);
        Assert.All(rig.Download<int>(parameters.Counters, partial * _size.Heads), counter => Assert.Equal(0, counter));
        return distance;
    }

    public double PrefillDistance(KernelRig rig)
    {
        List<PrefillItem> items = [];
        for (int s = 0; s < _lengths.Length; s++)
            for (int row = 0; row < _queries[s]; row += AttentionPrefillKernel.Rows)
                items.Add(new PrefillItem
                {
                    Token = _firstToken[s] + row,
                    Rows = Math.Min(AttentionPrefillKernel.Rows, _queries[s] - row),
                    Position = _lengths[s] - _queries[s] + row,
                    Table = _firstBlock[s],
                });
        PrefillParams parameters = new()
        {
            Qkv = Upload(rig, _qkv),
            KCache = Upload(rig, _keys),
            VCache = Upload(rig, _values),
            Tables = rig.Upload<int>(_tables),
            Items = rig.Upload<PrefillItem>(items.ToArray()),
            Out = rig.Allocate(_queries.Sum() * _size.OutStride * sizeof(ushort)),
            QkvStride = _size.QkvStride,
            OutStride = _size.OutStride,
            Heads = _size.Heads,
            KvHeads = _size.KvHeads,
            HeadDim = _size.HeadDim,
            BlockShift = _size.BlockShift,
            Window = _size.Window,
            ScaleLog2 = (float)(Scale * Math.Log2(Math.E)),
        };
        new AttentionPrefillKernel(rig.Library, _size.Precision, _size.HeadDim).Launch(rig.Stream, parameters, items.Count);
        return Distance(rig, parameters.Out);
    }

    private double Scale => 1 / Math.Sqrt(_size.HeadDim);

    private double Distance(KernelRig rig, ulong address)
    {
        int tokens = _queries.Sum(), columns = _size.Heads * _size.HeadDim;
        float[] found = KernelRig.Widen(rig.Download<ushort>(address, tokens * _size.OutStride), _size.Precision);
        return Numbers.Distance(Expected(), found, tokens, columns, columns, _size.OutStride);
    }

    private double[] Expected()
    {
        List<double> rows = [];
        for (int s = 0; s < _lengths.Length; s++)
            for (int q = 0; q < _queries[s]; q++)
                for (int head = 0; head < _size.Heads; head++)
                {
                    int sequence = s, kvHead = head / _size.Group, end = _lengths[s] - _queries[s] + q + 1;
                    int begin = _size.Window > 0 ? Math.Max(0, end - _size.Window) : 0;
                    ReadOnlySpan<float> query = _qkv.AsSpan((_firstToken[s] + q) * _size.QkvStride + head * _size.HeadDim, _size.HeadDim);
                    rows.AddRange(PlainAttention.Attend(query, t => _keys.AsMemory(Slot(sequence, t, kvHead), _size.HeadDim),
                        t => _values.AsMemory(Slot(sequence, t, kvHead), _size.HeadDim), Scale, begin, end));
                }

        return [.. rows];
    }

    private int Slot(int sequence, int position, int head)
    {
        int block = _tables[_firstBlock[sequence] + (position >> _size.BlockShift)], offset = position & ((1 << _size.BlockShift) - 1);
        return ((((block * _size.KvHeads) + head) << _size.BlockShift) + offset) * _size.HeadDim;
    }

    private ulong Upload(KernelRig rig, float[] values) => rig.Upload<ushort>(KernelRig.Narrow(values, _size.Precision));
}
