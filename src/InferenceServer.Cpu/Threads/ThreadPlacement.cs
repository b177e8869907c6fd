using System.Globalization;

namespace InferenceServer.Cpu.Threads;

/// <summary>
/// On which memory node each thread of a pool runs, and in which order it looks for work. Threads keep to a node, not to a processor (as llama.cpp's
/// --numa distribute has it): memory is near from all of a node's processors, and the system can still move a thread away from one that somebody else
/// keeps busy. Immutable.
/// </summary>
internal sealed class ThreadPlacement
{
    private readonly CpuTopology _topology;
    private readonly int[] _threadsOfNode;
    private readonly IReadOnlyList<int>?[] _processors;
    private readonly int[][] _shares;

    /// <param name="topology">Whose nodes.</param>
    /// <param name="threadsOfNode">How many threads a node, in the nodes' order; thread 0 is the first of the first node that has any.</param>
    public ThreadPlacement(CpuTopology topology, int[] threadsOfNode)
    {
        (_topology, _threadsOfNode) = (topology, threadsOfNode);
        int threads = threadsOfNode.Sum();
        (_processors, _shares) = (new IReadOnlyList<int>?[threads], new int[threads][]);
        int[] first = new int[threadsOfNode.Length];
        for (int node = 1; node < first.Length; node++) first[node] = first[node - 1] + threadsOfNode[node - 1];
        for (int home = 0; home < threadsOfNode.Length; home++)
        {
            int[] nodes = NearestFirst(home);
            for (int rank = 0; rank < threadsOfNode[home]; rank++)
            {
                int thread = first[home] + rank;
                if (IsSpread) _processors[thread] = topology.Nodes[home];
                // Beginning at its own rank on every node, so that thieves of one node do not all begin with the same share.
                _shares[thread] = [.. nodes.SelectMany(node => Enumerable.Range(0, threadsOfNode[node]).Select(i => first[node] + (rank + i) % threadsOfNode[node]))];
            }
        }
    }

    /// <summary>More than one node, so that it matters where a thread runs. Otherwise no thread is touched.</summary>
    public bool IsSpread => _topology.Nodes.Count > 1;

    public int Threads => _shares.Length;

    /// <summary>"2 memory nodes: 4 threads on processors 0-3, 4 on 4-7"; null where there is one.</summary>
    public string? Description => !IsSpread
        ? null
        : $"{_topology.Nodes.Count} memory nodes: " + string.Join(", ", _topology.Nodes.Select((node, i) => string.Create(
            CultureInfo.InvariantCulture, $"{_threadsOfNode[i]} {(i > 0 ? "" : _threadsOfNode[i] == 1 ? "thread " : "threads ")}on {(i > 0 ? "" : "processors ")}{CpuTopology.Listed(node)}")));

    /// <summary>Anywhere, as on a machine of one node.</summary>
    public static ThreadPlacement Anywhere(int threads) => new(CpuTopology.OneNode(threads), [threads]);

    /// <summary>Where a thread may run; null: wherever the system likes.</summary>
    public IReadOnlyList<int>? ProcessorsOf(int thread) => _processors[thread];

    /// <summary>All shares in the order in which a thread empties them: its own, those of its node, those of other nodes, the farthest last.</summary>
    public int[] SharesFor(int thread) => _shares[thread];

    private int[] NearestFirst(int home)
    {
        int count = _threadsOfNode.Length;
        return [.. Enumerable.Range(0, count).OrderBy(n => n == home ? 0 : 1).ThenBy(n => _topology.Distance(home, n)).ThenBy(n => (n - home + count) % count)];
    }
}
