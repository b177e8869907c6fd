using System.Runtime.InteropServices;
using InferenceServer.Cuda.StandIn.Ptx.Instructions;
using InferenceServer.Cuda.StandIn.Ptx.Parsing;
using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx;

/// <summary>Runs kernels on the CPU and finds what a device would answer with silence or a sticky error. Launches are run one at a time.</summary>
internal sealed unsafe class PtxInterpreter : IDisposable
{
    /// <summary>Shared memory a block may have on sm_90: 227 KiB, static and dynamic together.</summary>
    public const int MaxSharedBytes = 227 * 1024;
    private readonly InterpreterOptions _options;
    private readonly BlockExecutor[] _executors;
    private readonly Dictionary<string, LaunchCounters> _counters = [];
    private readonly Lock _lock = new();

    public PtxInterpreter(IDeviceMemory memory, InterpreterOptions options)
    {
        _options = options;
        _executors = new BlockExecutor[Math.Max(1, options.Threads)];
        for (int i = 0; i < _executors.Length; i++) _executors[i] = new(options, memory);
    }

    /// <exception cref="PtxFault">The first fault a block met; the other blocks stop at their ends.</exception>
    public void Run(KernelLaunch launch)
    {
        Check(launch);
        lock (_lock)
        {
            GCHandle parameters = GCHandle.Alloc(launch.Parameters, GCHandleType.Pinned);
            try { RunBlocks(launch, (byte*)parameters.AddrOfPinnedObject()); }
            finally { parameters.Free(); }
        }
    }

    /// <summary>What the launches of a kernel have added up to since the last <see cref="ResetCounters"/>.</summary>
    public LaunchCounters Counters(string kernel)
    {
        lock (_lock) return _counters.GetValueOrDefault(kernel, new());
    }

    public void ResetCounters()
    {
        lock (_lock) _counters.Clear();
    }

    public void Dispose()
    {
        foreach (BlockExecutor executor in _executors) executor.Dispose();
    }

    private static void Check(KernelLaunch launch)
    {
        PtxKernel kernel = launch.Kernel;
        if (launch.Blocks == 0 || launch.ThreadsPerBlock == 0) throw Refused("an empty grid or block");
        if (launch.ThreadsPerBlock > kernel.MaxThreads) throw Refused($"a block of {launch.ThreadsPerBlock} threads, built for at most {kernel.MaxThreads}");
        if (launch.Parameters.Length != kernel.ParameterBytes) throw Refused($"{launch.Parameters.Length} bytes of parameters, the kernel has {kernel.ParameterBytes}");
        if (launch.DynamicSharedBytes + kernel.StaticSharedBytes > MaxSharedBytes)
            throw Refused($"{launch.DynamicSharedBytes} dynamic and {kernel.StaticSharedBytes} static bytes of shared memory, a block may have {MaxSharedBytes}");

        PtxFault Refused(string what) => new(kernel.Name, "none", 0, "launch", what);
    }

    private void RunBlocks(KernelLaunch launch, byte* parameters)
    {
        int threads = (int)Math.Min(_executors.Length, launch.Blocks);
        BlockOrder order = new(launch.Blocks, launch.Seed);
        Exception? fault = null;
        for (int i = 0; i < threads; i++) _executors[i].Prepare(launch, parameters);
        if (threads == 1) Work(0);
        else Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, Work);
        Collect(launch.Kernel, threads);
        if (fault != null) throw fault is PtxFault ? fault : new InvalidOperationException($"{launch.Kernel.Name}: the interpreter failed", fault);

        void Work(int executor)
        {
            try
            {
                while (fault == null && order.Next() is long block and >= 0) _executors[executor].Run(block);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref fault, e, null);
            }
        }
    }

    private void Collect(PtxKernel kernel, int threads)
    {
        LaunchCounters sum = _counters.GetValueOrDefault(kernel.Name, new());
        ReadOnlySpan<BlockExecutor> ran = _executors.AsSpan(0, threads);
        long warps = sum.WarpInstructions, lanes = sum.LaneInstructions;
        foreach (BlockExecutor executor in ran)
        {
            warps += executor.Profile.WarpInstructions;
            lanes += executor.Profile.LaneInstructions;
        }
        _counters[kernel.Name] = new()
        {
            Launches = sum.Launches + 1,
            WarpInstructions = warps,
            LaneInstructions = lanes,
            Instructions = _options.Profile ? Add(sum.Instructions, kernel.Code, ran) : [],
        };
    }

    private static InstructionCounters[] Add(IReadOnlyList<InstructionCounters> before, InstructionStream code, ReadOnlySpan<BlockExecutor> executors)
    {
        InstructionCounters[] rows = new InstructionCounters[code.Count];
        for (int i = 0; i < rows.Length; i++)
        {
            ParsedInstruction parsed = code[i];
            InstructionCounters row = before.Count == rows.Length ? before[i] : new(parsed.Line, parsed.Text, KindOf(parsed.Opcode), 0, 0, 0, 0);
            foreach (BlockExecutor executor in executors)
            {
                ExecutionProfile profile = executor.Profile;
                row = row with
                {
                    Executed = row.Executed + profile.Executed[i],
                    Requests = row.Requests + profile.Requests[i],
                    Transfers = row.Transfers + profile.Transfers[i],
                    Ideal = row.Ideal + profile.Ideal[i],
                };
            }
            rows[i] = row;
        }
        return rows;
    }

    /// <summary>A copy from global to shared memory is counted by its source.</summary>
    private static MemoryKind KindOf(Opcode opcode) => opcode.Operands.Count(o => o.Kind == OperandKind.Memory) switch
    {
        1 when opcode.Space == StateSpace.Shared => MemoryKind.Shared,
        1 when opcode.Space is StateSpace.Global or StateSpace.Generic => MemoryKind.Global,
        2 => MemoryKind.Global,
        _ => MemoryKind.None,
    };
}
