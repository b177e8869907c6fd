using System.Diagnostics.CodeAnalysis;
using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu.Cache;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Memory;
using InferenceServer.Cpu.Ops;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu;

/// <summary>
/// The compute backend of this machine's processors: weights in their own format, repacked at load; a fork-join pool; kernels chosen once by
/// instruction set. Steps run synchronously: when an op returns, it is done. Owned by one thread at a time; all memory is
/// freed by <see cref="Dispose"/>, after which no handle may be used. Only <see cref="LoadMatrix"/> and its kind allocate; a warm step does not. What an op computes for a token is the same, bit for bit, in any batch,
/// on any number of threads, however its prompt was cut and wherever its blocks lie.
/// </summary>
public sealed partial class CpuBackend : IComputeBackend
{
    private readonly CpuOptions _options;
    private readonly KernelTable _kernels;
    private readonly ForkJoinPool _pool;
    private readonly string? _nodes;
    private readonly Workspace _workspace;
    private readonly WeightArena _weights;
    private readonly List<NativeBuffer> _buffers = [];
    private readonly PreparedInputs _inputs = new();
    private readonly ProjectJob _project;
    private readonly GateUpJob _gateUp;
    private readonly AttentionJob _attention;
    private readonly NormJob _norm = new();
    private readonly RopeJob _rope = new();
    private readonly EmbedJob _embed = new();
    private readonly SampleJob _sample;
    private readonly WeightCache? _weightCache;
    private bool _disposed;

    /// <param name="options">Threads and memory.</param>
    /// <param name="sampler">Called by several threads at once, one row each.</param>
    public CpuBackend(CpuOptions options, ISampler sampler)
        : this(options, sampler, KernelTable.Best)
    {
    }

    internal CpuBackend(
        CpuOptions options, ISampler sampler, InstructionSet instructionSet, long minParallelWork = ForkJoinPool.MinParallelWork, CpuTopology? topology = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(sampler);
        if (options.Threads is < 0 or > 1024)
            throw new ArgumentOutOfRangeException(nameof(options), $"Threads is {options.Threads}; expected 0 (one for each core) to 1024.");
        _options = options;
        _kernels = KernelTable.For(instructionSet);
        ThreadPlacement placement = (topology ?? CpuTopology.OfThisMachine).Placement(options.EffectiveThreads);
        _nodes = placement.Description;
        _weights = new WeightArena(options.HugePages, isolated: placement.IsSpread);
        _pool = new ForkJoinPool(options.EffectiveThreads, minParallelWork, placement);
        _workspace = new Workspace(_pool.Threads);
        _project = new ProjectJob(_workspace, _inputs);
        _gateUp = new GateUpJob(_workspace, _inputs);
        _attention = new AttentionJob(_workspace, AttentionKernels.For(instructionSet, options.KvType));
        _sample = new SampleJob(sampler);
        _weightCache = options.WeightCache is { } cache ? new WeightCache(cache, _kernels, options.Weights, _pool) : null;
    }

    public string Name => "cpu";

    /// <summary>The kernels that this machine's processors can run best.</summary>
    public static string InstructionSetName => KernelTable.Best.ToString();

    /// <summary>Which threads would keep to which memory node, in words; null on a machine of one node, where threads go wherever the system likes.</summary>
    /// <param name="threads">As <see cref="CpuOptions.Threads"/>.</param>
    public static string? DescribeNodes(int threads) =>
        CpuTopology.OfThisMachine.Placement(new CpuOptions { Threads = threads }.EffectiveThreads).Description;

    public string Description =>
        $"{_pool.Threads} {(_pool.Threads == 1 ? "thread" : "threads")}, {_kernels.InstructionSet} kernels, {_options.KvType} keys and values, {(_weights.Bytes + _buffers.Sum(b => b.Bytes)) / 1048576.0:F1} MiB{(_nodes is null ? "" : $", {_nodes}")}";

    public unsafe WeightVector LoadVector(params IReadOnlyList<HostTensor> concatenated)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int length = 0;
        foreach (HostTensor tensor in concatenated) length = checked(length + (int)(tensor.Rows * tensor.Columns));
        NativeBuffer buffer = Allocate((long)CpuActivation.PaddedColumns(length) * sizeof(float), "a weight vector");
        buffer.Clear();
        Span<float> target = new(buffer.Floats, length);
        foreach (HostTensor tensor in concatenated)
        {
            for (long row = 0; row < tensor.Rows; row++, target = target[tensor.Columns..])
                HostValues.Widen(tensor.Row(row), tensor.Type, target[..tensor.Columns]);
        }

        return new CpuVector(length, buffer);
    }

    public unsafe RopeTable LoadRope(ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines, int positions, int rotaryDim)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        long expected = (long)positions * (rotaryDim / 2);
        if (positions < 0 || rotaryDim < 0 || rotaryDim % 2 != 0 || cosines.Length != expected || sines.Length != expected)
            throw new ArgumentException(
                $"A rotary table of {positions} positions x {rotaryDim} / 2 needs {expected} cosines and sines; given are {cosines.Length} and {sines.Length}.");
        NativeBuffer buffer = Allocate(2 * expected * sizeof(float), "the rotary table");
        cosines.CopyTo(new Span<float>(buffer.Floats, cosines.Length));
        sines.CopyTo(new Span<float>(buffer.Floats + expected, sines.Length));
        return new CpuRopeTable(positions, rotaryDim, buffer);
    }

    public Activation AllocateActivation(int maxRows, int columns, ActivationUse use = ActivationUse.Hidden)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        NativeBuffer buffer = Allocate((long)maxRows * CpuActivation.RowFloats(columns) * sizeof(float), $"an activation of {maxRows} x {columns}");
        buffer.Clear();
        _workspace.Reserve(GateUpJob.ScratchFloats(maxRows));
        return new CpuActivation(maxRows, columns, buffer);
    }

    public KvCache AllocateKvCache(KvCacheShape shape)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(shape);
        if (shape is not { Layers: > 0, KvHeads: > 0, HeadDim: > 0, BlockSize: > 0, BlockCount: > 0 } || (long)shape.BlockCount * shape.BlockSize > int.MaxValue)
            throw new ArgumentException($"A KV cache needs positive sizes and at most {int.MaxValue} slots; asked for was {shape}.", nameof(shape));
        return new CpuKvCache(shape, _options.KvType, Allocate(CpuKvCache.Bytes(shape, _options.KvType), $"the KV cache of {shape.BlockCount} blocks"));
    }

    /// <summary>Bytes that a block of this shape takes in all layers, padding and scales included. Its block count does not matter.</summary>
    public long KvBlockBytes(KvCacheShape shape) => CpuKvCache.BytesOfBlock(shape, _options.KvType);

    /// <summary>One row of an activation, for tests and diagnostics. Valid until the next op writes it.</summary>
    public unsafe ReadOnlySpan<float> ReadRow(Activation activation, int row)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CpuActivation own = Own<CpuActivation>(activation);
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, own.Rows);
        return new ReadOnlySpan<float>(own.Row(row), own.Columns);
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _pool.Dispose();
        _attention.Dispose();
        _workspace.Dispose();
        _inputs.Dispose();
        _weightCache?.Dispose();
        _weights.Dispose();
        foreach (NativeBuffer buffer in _buffers) buffer.Dispose();
        _buffers.Clear();
    }

    private NativeBuffer Allocate(long bytes, string what)
    {
        NativeBuffer buffer = new(bytes, what, _options.HugePages);
        _buffers.Add(buffer);
        return buffer;
    }

    private static T Own<T>(object handle)
        where T : class
    {
        if (handle is T own) return own;
        Refuse($"This op needs a {typeof(T).Name} of this backend; it was given {handle?.GetType().Name ?? "null"}.");
        return null;
    }

    [DoesNotReturn]
    private static void Refuse(string message) => throw new ArgumentException(message);
}
