using System.Runtime.InteropServices;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Driver;
using InferenceServer.GpuBench.Shapes;

namespace InferenceServer.GpuBench.Probes;

/// <summary>Queries, one layer's keys and values, block tables and what attention writes. Layers rotate, so that L2 does not answer.</summary>
internal sealed class AttentionBuffers : IDisposable
{
    public const int BlockShift = 4, BlockSize = 1 << BlockShift;

    private readonly ProbeDevice _device;
    private readonly DeviceBuffer _qkv, _cache, _tables, _items, _out, _partialOut, _partialMl, _counters;

    /// <param name="tokens">Query rows at most.</param>
    /// <param name="sequences">At most.</param>
    /// <param name="keys">Over all sequences, at most.</param>
    /// <param name="items">Of work, at most.</param>
    public AttentionBuffers(ProbeDevice device, int tokens, int sequences, long keys, int items)
    {
        _device = device;
        ModelShape shape = device.Sizes.Shape;
        _qkv = device.Random(2L * tokens * shape.QkvRows, "The queries of the attention probe");
        _cache = device.Random(Math.Max(device.Sizes.RotationBytes, 2 * PlaneBytes(shape, Blocks(keys, sequences))), "The keys and values of the attention probe");
        _tables = device.Allocate(sizeof(int) * Blocks(keys, sequences), "The block tables of the attention probe");
        _items = device.Allocate(items * 32L + sizeof(int), "The work of the attention probe");
        _out = device.Allocate(2L * tokens * shape.Heads * shape.HeadDim, "The output of the attention probe");
        _partialOut = device.Allocate(4L * items * shape.Heads * shape.HeadDim, "The partial sums of the attention probe");
        _partialMl = device.Allocate(8L * items * shape.Heads, "The partial sums of the attention probe");
        _counters = device.Allocate(4L * items * shape.Heads, "The counters of the attention probe");
        device.Stream.Fill(_counters.Address, 0, _counters.Bytes);
        device.Stream.Synchronize();
    }

    public ulong Qkv => _qkv.Address;

    public ulong Tables => _tables.Address;

    public ulong Items => _items.Address;

    public ulong ItemCount => _items.Address + (ulong)_items.Bytes - sizeof(int);

    public ulong Out => _out.Address;

    public ulong PartialOut => _partialOut.Address;

    public ulong PartialMl => _partialMl.Address;

    public ulong Counters => _counters.Address;

    /// <summary>Where the keys and the values of repetition <paramref name="index"/> are.</summary>
    public (ulong Keys, ulong Values) Cache(StepPlan plan, int index)
    {
        long plane = PlaneBytes(_device.Sizes.Shape, plan.Sequences.Take(plan.SequenceCount).Sum(s => (long)s.BlockCount));
        ulong keys = _cache.Address + (ulong)(index % (_cache.Bytes / (2 * plane)) * 2 * plane);
        return (keys, keys + (ulong)plane);
    }

    /// <summary>Sequences of <paramref name="context"/> tokens of which the last <paramref name="tokens"/> are computed; their blocks lie between each other.</summary>
    public static StepPlan Plan(int sequences, int context, int tokens)
    {
        StepPlan plan = new(sequences * tokens, sequences, sequences) { TokenCount = sequences * tokens, SequenceCount = sequences };
        int blocks = (context + BlockSize - 1) / BlockSize;
        for (int s = 0; s < sequences; s++)
        {
            int[] table = new int[blocks];
            for (int b = 0; b < blocks; b++) table[b] = b * sequences + s;
            plan.Sequences[s] = new StepSequence { FirstToken = s * tokens, TokenCount = tokens, ComputedTokens = context - tokens, BlockTable = table, BlockCount = blocks };
        }

        return plan;
    }

    /// <summary>Sends tables and work to the device.</summary>
    public void Send<T>(StepPlan plan, ReadOnlySpan<T> items)
        where T : unmanaged
    {
        List<int> tables = [];
        for (int s = 0; s < plan.SequenceCount; s++) tables.AddRange(plan.Sequences[s].BlockTable.AsSpan(0, plan.Sequences[s].BlockCount));
        Send(Tables, MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(tables)));
        Send(Items, MemoryMarshal.AsBytes(items));
        Send(ItemCount, MemoryMarshal.AsBytes<int>([items.Length]));
    }

    /// <summary>Where each sequence's table begins among all.</summary>
    public static int[] TableOffsets(StepPlan plan)
    {
        int[] offsets = new int[plan.SequenceCount];
        for (int s = 1; s < offsets.Length; s++) offsets[s] = offsets[s - 1] + plan.Sequences[s - 1].BlockCount;
        return offsets;
    }

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in (DeviceBuffer[])[_qkv, _cache, _tables, _items, _out, _partialOut, _partialMl, _counters]) buffer.Dispose();
    }

    private static long Blocks(long keys, int sequences) => keys / BlockSize + sequences;

    private static long PlaneBytes(ModelShape shape, long blocks) => blocks * BlockSize * shape.KvHeads * shape.HeadDim * 2;

    private unsafe void Send(ulong address, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* source = bytes) _device.Stream.CopyToDevice(address, source, bytes.Length);
        _device.Stream.Synchronize();
    }
}
