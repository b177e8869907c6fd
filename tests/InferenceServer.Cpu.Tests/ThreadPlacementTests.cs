using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Tests;

/// <summary>Pools on two memory nodes, made up of this machine's first two processors: threads go where they should, and so does what they write.</summary>
public sealed class ThreadPlacementTests
{
    private const long Large = ForkJoinPool.MinParallelWork;

    private static readonly int[] Processors = [.. CpuTopology.OfThisMachine.Nodes.SelectMany(n => n).Take(2)];

    [Fact]
    public void Workers_keep_to_their_node_and_a_thread_of_its_own_that_calls_settles_there()
    {
        using ForkJoinPool pool = new(4, Large, TwoNodes().Placement(4));
        OnThreadOfItsOwn(() =>
        {
            string before = Where();
            string[] places = PlacesIn(pool);
            Assert.Equal([$"{Processors[0]}", $"{Processors[0]}", $"{Processors[1]}", $"{Processors[1]}"], places);
            Assert.Equal($"{Processors[0]}", Where());
            string child = "";
            OnThreadOfItsOwn(() => child = Where());
            Assert.Equal(before, child); // what a settled thread starts, the thread pool's workers among it, runs anywhere
        });
    }

    [Fact]
    public async Task A_thread_of_the_thread_pool_is_a_guest()
    {
        using ForkJoinPool pool = new(4, Large, TwoNodes().Placement(4));
        (string before, string[] places, string after) = await Task.Run(() => (Where(), PlacesIn(pool), Where()), TestContext.Current.CancellationToken);
        Assert.Equal($"{Processors[0]}", places[0]);
        Assert.Equal(before, after);
        Assert.NotEqual(before, places[0]);
        string afterFault = await Task.Run(
            () =>
            {
                Assert.Throws<NotSupportedException>(() => pool.Run(new LambdaJob((_, _, _) => throw new NotSupportedException()), 8, 1, Large));
                return Where();
            },
            TestContext.Current.CancellationToken);
        Assert.Equal(before, afterFault);
    }

    [Fact]
    public void On_one_node_no_thread_is_touched()
    {
        using ForkJoinPool pool = new(3, Large, CpuTopology.OneNode(2).Placement(3));
        OnThreadOfItsOwn(() =>
        {
            string before = Where();
            Assert.All(PlacesIn(pool), place => Assert.Equal(before, place));
            Assert.Equal(before, Where());
        });
    }

    [Fact]
    public void Processors_that_the_system_refuses_cost_nothing_but_the_place()
    {
        using ForkJoinPool pool = new(4, Large, new CpuTopology([[8000], [70_000]], 2).Placement(4));
        OnThreadOfItsOwn(() =>
        {
            string before = Where();
            Assert.All(PlacesIn(pool), place => Assert.Equal(before, place));
            Assert.Equal(before, Where());
        });
    }

    [Fact]
    public void A_thread_without_work_helps_its_own_node_before_the_other() => OnThreadOfItsOwn(() =>
    {
        using ForkJoinPool pool = new(4, Large, TwoNodes().Placement(4));
        const int Items = 40, ShareItems = Items / 4;
        int begun = 0;
        List<int> helped = [];
        // All but the caller are held in their first item until the caller has taken everything else.
        pool.Run(
            new LambdaJob((begin, _, worker) =>
            {
                Interlocked.Increment(ref begun);
                if (worker == 0) helped.Add(begin / ShareItems);
                else Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref begun) == Items, TimeSpan.FromSeconds(20)), "the caller stopped helping");
            }),
            Items, 1, Large);
        Assert.Equal([0, 1, 2, 3], helped.Distinct());
        Assert.Equal(helped.Order(), helped);
    });

    [Fact]
    public void Gate_and_up_of_one_output_are_packed_by_the_thread_that_multiplies_them() => OnThreadOfItsOwn(() =>
    {
        using CpuBackend backend = Samples.Backend(KernelTable.Best.ToString(), 2, topology: TwoNodes());
        const int Hidden = 128; // eight groups: a chunk of four a thread
        using TwoReaders readers = new();
        WatchedTensor gate = new(readers, Hidden), up = new(readers, Hidden);
        backend.LoadMatrix(MatrixUse.GateUp, gate, up);
        AssertHalves(gate.Readers);
        Assert.Equal(gate.Readers, up.Readers);
    });

    [Fact]
    public void Sections_of_different_formats_are_split_as_the_matrix_is() => OnThreadOfItsOwn(() =>
    {
        using CpuBackend backend = Samples.Backend(KernelTable.Best.ToString(), 2, topology: TwoNodes());
        using TwoReaders readers = new();
        WatchedTensor query = new(readers, 64), value = new(readers, 64, ElementType.BF16); // a chunk a thread
        backend.LoadMatrix(MatrixUse.Layer, query, value);
        AssertHalves([.. query.Readers, .. value.Readers]);
    });

    [Fact]
    public void Every_op_gives_the_same_bits_on_two_nodes() => OnThreadOfItsOwn(() =>
    {
        StepPlan plan = new PlanBuilder(TinyModel.BlockSize).Next().Add(BatchInvarianceTests.Prompt(11).AsSpan(0, 70), 0, [.. Enumerable.Range(0, 9)]).Build();
        foreach (ElementType type in Samples.FloatTypes)
        {
            using TinyModel alone = new(Samples.Backend(), type);
            using TinyModel spread = new(Samples.Backend(KernelTable.Best.ToString(), 4, topology: TwoNodes()), type);
            float[][] expected = alone.Step(plan), found = spread.Step(plan);
            for (int row = 0; row < expected.Length; row++) Samples.AssertSameBits(expected[row], found[row], $"{type}, row {row}");
        }
    });

    [Fact]
    public void The_description_tells_nodes_where_there_are_some()
    {
        using CpuBackend spread = Samples.Backend(KernelTable.Best.ToString(), 3, topology: new CpuTopology([[0, 2, 4], [1, 3, 5]], 6));
        Assert.EndsWith(", 2 memory nodes: 1 thread on processors 0,2,4, 2 on 1,3,5", spread.Description, StringComparison.Ordinal);
        using CpuBackend one = Samples.Backend(KernelTable.Best.ToString(), 3, topology: CpuTopology.OneNode(2));
        Assert.DoesNotContain("node", one.Description, StringComparison.Ordinal);
    }

    private static CpuTopology TwoNodes()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Processors.Length == 2, "Needs Linux and two processors.");
        return new CpuTopology([[Processors[0]], [Processors[1]]], 2);
    }

    /// <summary>Where each thread of a pool runs during a job in which all take part.</summary>
    private static string[] PlacesIn(ForkJoinPool pool)
    {
        string[] places = new string[pool.Threads];
        using Barrier all = new(pool.Threads);
        pool.Run(
            new LambdaJob((_, _, worker) =>
            {
                Assert.True(all.SignalAndWait(TimeSpan.FromSeconds(20)), "a thread never came");
                places[worker] = Where();
            }),
            pool.Threads, 1, Large);
        return places;
    }

    private static string Where()
    {
        Span<ulong> mask = stackalloc ulong[ThreadAffinity.MaskWords];
        if (!ThreadAffinity.TryRead(mask)) return "unknown";
        List<int> processors = [];
        for (int i = 0; i < mask.Length * 64; i++)
        {
            if ((mask[i / 64] >> (i % 64) & 1) != 0) processors.Add(i);
        }

        return CpuTopology.Listed(processors);
    }

    /// <summary>The first half of the rows was read by the caller, the second by one other thread.</summary>
    private static void AssertHalves(int[] readers)
    {
        int half = readers.Length / 2;
        Assert.Equal([Environment.CurrentManagedThreadId], readers[..half].Distinct());
        Assert.NotEqual(readers[0], Assert.Single(readers[half..].Distinct()));
    }

    /// <summary>Not on the runner's thread, which would be left where the pool put it.</summary>
    private static void OnThreadOfItsOwn(Action act)
    {
        Exception? fault = null;
        Thread thread = new(() => fault = Record.Exception(act));
        thread.Start();
        thread.Join();
        if (fault is not null) ExceptionDispatchInfo.Throw(fault);
    }

    private sealed class LambdaJob(Action<int, int, int> execute) : ParallelJob
    {
        public override void Execute(int begin, int end, int worker) => execute(begin, end, worker);
    }

    /// <summary>Holds each of two threads at its first row until the other has come, so that with a chunk for each none takes both.</summary>
    private sealed class TwoReaders : IDisposable
    {
        private readonly Barrier _both = new(2);
        private readonly ConcurrentDictionary<int, bool> _threads = [];

        public int Reads()
        {
            int thread = Environment.CurrentManagedThreadId;
            if (_threads.TryAdd(thread, true)) Assert.True(_both.SignalAndWait(TimeSpan.FromSeconds(20)), "the other thread never came");
            return thread;
        }

        public void Dispose() => _both.Dispose();
    }

    /// <summary>Zeros, and which thread read each row.</summary>
    private sealed class WatchedTensor(TwoReaders readers, int rows, ElementType type = ElementType.F32) : HostTensor("watched", type, [rows, 64])
    {
        private readonly byte[] _row = new byte[64 * type.Bytes()];

        public int[] Readers { get; } = new int[rows];

        public override ReadOnlySpan<byte> Row(long row)
        {
            Readers[row] = readers.Reads();
            return _row;
        }
    }
}
