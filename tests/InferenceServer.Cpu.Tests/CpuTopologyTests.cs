using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Tests;

/// <summary>The machine as /sys describes it, from folders that look like it.</summary>
public sealed class CpuTopologyTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("topology-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Two_nodes_of_four_processors_own_half_of_the_threads_each()
    {
        Describe(["0-3", "4-7"], processor => $"{processor}");
        CpuTopology topology = CpuTopology.Read(_root, null);
        Assert.Equal(["0,1,2,3", "4,5,6,7"], Shown(topology));
        Assert.Equal(8, topology.Cores);
        Assert.Equal(["0-3", "0-3", "4-7", "4-7"], Places(topology, 4));
        Assert.Equal(["4-7"], Places(topology, 1));
        Assert.All(Places(topology, 16)[..8], place => Assert.Equal("0-3", place));
        Assert.All(Places(topology, 16)[8..], place => Assert.Equal("4-7", place));
        Assert.Equal("2 memory nodes: 2 threads on processors 0-3, 2 on 4-7", topology.Placement(4).Description);
    }

    [Fact]
    public void Every_thread_has_a_place_for_any_number_of_threads_and_uneven_nodes()
    {
        Describe(["0-4", "5", "6-7"], processor => $"{processor}");
        CpuTopology topology = CpuTopology.Read(_root, null);
        for (int threads = 1; threads <= 20; threads++) Assert.Equal(threads, Places(topology, threads).Count(place => place.Length > 0));
    }

    [Fact]
    public void Processors_of_one_core_count_once_and_the_second_comes_last()
    {
        Describe(["0-7"], processor => $"{processor % 4},{processor % 4 + 4}");
        CpuTopology topology = CpuTopology.Read(_root, null);
        Assert.Equal(4, topology.Cores);
        Assert.Equal(4, topology.DefaultThreads(8));
        Assert.Equal(3, topology.DefaultThreads(3));
        Assert.Equal(["0,1,2,3,4,5,6,7"], Shown(topology));
        Assert.Equal(2, CpuTopology.Read(_root, new HashSet<int> { 0, 4, 5 }).Cores);
    }

    [Fact]
    public void Siblings_beside_each_other_are_told_apart()
    {
        Describe(["0-3", "4-7"], processor => $"{processor / 2 * 2}-{processor / 2 * 2 + 1}");
        CpuTopology topology = CpuTopology.Read(_root, null);
        Assert.Equal(4, topology.Cores);
        Assert.Equal(["0,2,1,3", "4,6,5,7"], Shown(topology));
    }

    [Fact]
    public void A_node_without_processors_of_ours_does_not_count()
    {
        Describe(["0-3", "4-7"], processor => $"{processor}");
        CpuTopology topology = CpuTopology.Read(_root, new HashSet<int> { 4, 5 });
        Assert.Equal(["4,5"], Shown(topology));
        ThreadPlacement placement = topology.Placement(2);
        Assert.All([placement.ProcessorsOf(0), placement.ProcessorsOf(1)], Assert.Null);
        Assert.False(placement.IsSpread);
        Assert.Null(placement.Description);
    }

    [Fact]
    public void Threads_look_for_work_at_their_node_first_and_at_the_farthest_last()
    {
        Describe(["0-1", "2-3", "4-5"], processor => $"{processor}");
        Assert.Equal("2,3,4,5,0,1", Shares(2)); // nobody says how far: the next node, and the same rank there
        Write("node/node0/distance", "10 32 12\n");
        Write("node/node1/distance", "32 10 12\n");
        Write("node/node2/distance", "12 12 10\n");
        Assert.Equal("0,1,4,5,2,3", Shares(0));
        Assert.Equal("1,0,5,4,3,2", Shares(1));
        Assert.Equal("3,2,5,4,1,0", Shares(3));
        Assert.Equal([0, 2, 1], CpuTopology.Read(_root, new HashSet<int> { 0, 2, 4 }).Placement(3).SharesFor(0)); // one thread a node
        Write("node/node2/distance", "12\n");
        Assert.Equal("0,1,2,3,4,5", Shares(0));

        string Shares(int thread) => string.Join(',', CpuTopology.Read(_root, new HashSet<int>(Enumerable.Range(0, 6))).Placement(6).SharesFor(thread));
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("")]
    public void What_cannot_be_read_is_one_node(string online)
    {
        Assert.Single(CpuTopology.Read(Path.Combine(_root, "absent"), null).Nodes);
        Directory.CreateDirectory(Path.Combine(_root, "cpu"));
        File.WriteAllText(Path.Combine(_root, "cpu", "online"), online);
        Assert.Equal(Environment.ProcessorCount, Assert.Single(CpuTopology.Read(_root, null).Nodes).Count);
    }

    [Fact]
    public void This_machine_has_threads() =>
        Assert.InRange(CpuTopology.OfThisMachine.DefaultThreads(Environment.ProcessorCount), 1, Environment.ProcessorCount);

    private void Describe(string[] nodes, Func<int, string> siblings)
    {
        Write("cpu/online", "0-7\n");
        Write("node/online", $"0-{nodes.Length - 1}\n");
        for (int node = 0; node < nodes.Length; node++) Write($"node/node{node}/cpulist", nodes[node] + "\n");
        for (int processor = 0; processor < 8; processor++) Write($"cpu/cpu{processor}/topology/thread_siblings_list", siblings(processor) + "\n");
    }

    private void Write(string path, string text)
    {
        string file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }

    private static string[] Shown(CpuTopology topology) => [.. topology.Nodes.Select(n => string.Join(',', n))];

    private static string[] Places(CpuTopology topology, int threads)
    {
        ThreadPlacement placement = topology.Placement(threads);
        return [.. Enumerable.Range(0, threads).Select(thread => CpuTopology.Listed(placement.ProcessorsOf(thread)!))];
    }
}
