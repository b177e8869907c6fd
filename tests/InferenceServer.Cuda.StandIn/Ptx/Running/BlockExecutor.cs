using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using InferenceServer.Cuda.StandIn.Ptx.Parsing;

namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>Runs blocks of a launch, one after another. One per OS thread; its memory is kept from launch to launch.</summary>
internal sealed unsafe class BlockExecutor : IDisposable
{
    private const int MaxWarps = 32;
    private readonly InterpreterOptions _options;
    private readonly Warp[] _warps = new Warp[MaxWarps];
    private readonly int[] _order = new int[MaxWarps];
    private byte* _arena;
    private nuint _arenaBytes;
    private KernelLaunch _launch = null!;
    private InstructionStream? _prepared;
    private int _preparedWarps;
    private int _warpCount;
    private Random _random = new(0);

    public BlockExecutor(InterpreterOptions options, IDeviceMemory memory)
    {
        _options = options;
        Global = new(memory);
        Shared = new(options.Checks);
        Barriers = new(this);
        for (int i = 0; i < MaxWarps; i++) _warps[i] = new(this, i);
    }

    public KernelLaunch Launch => _launch;
    public GlobalMemory Global { get; }
    public SharedMemory Shared { get; }
    public BlockBarriers Barriers { get; }
    public ExecutionProfile Profile { get; } = new();
    public ReadOnlySpan<Warp> Warps => _warps.AsSpan(0, _warpCount);
    public (uint X, uint Y, uint Z) Coordinates { get; private set; }
    public bool Checks => _options.Checks;
    /// <summary>The kernel's parameters; pinned for the launch.</summary>
    public byte* Parameters { get; private set; }

    public void Prepare(KernelLaunch launch, byte* parameters)
    {
        _launch = launch;
        Parameters = parameters;
        _warpCount = (int)(launch.ThreadsPerBlock + 31) / 32;
        Global.Prepare(launch.Kernel.Module.Variables);
        Shared.Prepare(launch.Kernel.Shared, launch.DynamicSharedBytes);
        Profile.Prepare(launch.Kernel.Code.Count, _options.Profile);
        Reserve(launch.Kernel);
    }

    /// <summary>Runs one block to its end.</summary>
    public void Run(long block)
    {
        KernelLaunch launch = _launch;
        Coordinates = ((uint)(block % launch.GridX), (uint)(block / launch.GridX % launch.GridY), (uint)(block / ((long)launch.GridX * launch.GridY)));
        _random = new(HashCode.Combine(launch.Seed, block));
        Shared.StartBlock();
        Barriers.StartBlock();
        for (int i = 0; i < _warpCount; i++)
        {
            SpecialRows.SetBlock(_warps[i], launch.Kernel.Code, Coordinates);
            _warps[i].Start(launch.Kernel.Code, (int)launch.ThreadsPerBlock - 32 * i, _options.InstructionBudget);
        }
        RunWarps();
        for (int i = 0; i < _warpCount; i++)
        {
            Profile.WarpInstructions += _warps[i].Executed;
            Profile.LaneInstructions += _warps[i].ExecutedLanes;
        }
    }

    [DoesNotReturn]
    public void Fault(Warp warp, int instruction, int lane, string what)
    {
        InstructionStream code = _launch.Kernel.Code;
        string block = $"({Coordinates.X},{Coordinates.Y},{Coordinates.Z}) warp {warp.Index} lane {lane}";
        throw new PtxFault(_launch.Kernel.Name, block, code[instruction].Line, code[instruction].Text, what);
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_arena);
        _arena = null;
        Shared.Dispose();
    }

    /// <summary>Round after round in a new order: each warp runs until it ends or waits.</summary>
    private void RunWarps()
    {
        for (; ; )
        {
            int ready = 0;
            for (int i = 0; i < _warpCount; i++)
                if (_warps[i].Status == WarpStatus.Ready) _order[ready++] = i;
            if (ready == 0)
            {
                if (Barriers.AllDone()) return;
                Barriers.FaultStuck();
            }
            _random.Shuffle(_order.AsSpan(0, ready));
            foreach (int warp in _order.AsSpan(0, ready)) _warps[warp].Run();
            Barriers.Complete();
        }
    }

    /// <summary>Register files and local memory of all warps in one arena, constants filled in.</summary>
    private void Reserve(PtxKernel kernel)
    {
        nuint registers = (nuint)kernel.Code.Layout.Bytes, local = (nuint)SharedLayout.Align(kernel.LocalBytes, 16) * 32;
        nuint needed = (registers + local) * (nuint)_warpCount;
        if (needed > _arenaBytes)
        {
            NativeMemory.AlignedFree(_arena);
            _arena = (byte*)NativeMemory.AlignedAlloc(needed, 64);
            _arenaBytes = needed;
            _prepared = null;
        }
        bool same = _prepared == kernel.Code && _preparedWarps >= _warpCount;
        for (int i = 0; i < _warpCount; i++)
        {
            _warps[i].Registers = _arena + (registers + local) * (nuint)i;
            _warps[i].Local = _warps[i].Registers + registers;
            if (!same) SpecialRows.SetConstants(_warps[i], kernel.Code);
            SpecialRows.SetLaunch(_warps[i], kernel.Code, _launch);
        }
        _prepared = kernel.Code;
        _preparedWarps = _warpCount;
    }
}
