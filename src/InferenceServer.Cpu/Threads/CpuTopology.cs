using System.Globalization;

namespace InferenceServer.Cpu.Threads;

/// <summary>
/// The processors that this process may use: which share a core, and which share a memory node. Read from Linux's /sys once at start; elsewhere, and
/// where it cannot be read, every processor is a core of one node. Immutable.
/// </summary>
internal sealed class CpuTopology
{
    private const int Near = 10, Far = 20; // ACPI's distances of the same node and of another, where the firmware says nothing else

    private readonly int[][]? _distances;

    /// <param name="nodes">See <see cref="Nodes"/>.</param>
    /// <param name="cores">See <see cref="Cores"/>.</param>
    /// <param name="distances">(from, to), by index in <paramref name="nodes"/>; null: all others are equally far.</param>
    public CpuTopology(IReadOnlyList<IReadOnlyList<int>> nodes, int cores, int[][]? distances = null) => (Nodes, Cores, _distances) = (nodes, cores, distances);

    /// <summary>Processors by memory node, nodes without any left out; within a node the first processor of every core comes first.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Nodes { get; }

    /// <summary>Physical cores that have a processor of ours.</summary>
    public int Cores { get; }

    public static CpuTopology OfThisMachine { get; } = OperatingSystem.IsLinux()
        ? Read("/sys/devices/system", Allowed("/proc/self/status"))
        : OneNode(Environment.ProcessorCount);

    /// <summary>
    /// One thread a core: two that share one wait for each other's multipliers, and reading weights is limited by memory anyway. A container's share of
    /// the machine's time bounds it.
    /// </summary>
    public int DefaultThreads(int processorLimit) => Math.Max(1, Math.Min(Cores, processorLimit));

    /// <summary>One node and a core for each processor.</summary>
    public static CpuTopology OneNode(int processors) => new([[.. Enumerable.Range(0, processors)]], processors);

    /// <summary>How far another node's memory is from a node's processors, relative to 10 for its own.</summary>
    public int Distance(int from, int to) => _distances is { } known ? known[from][to] : from == to ? Near : Far;

    /// <summary>Threads dealt out in order, nodes by their number of processors, so that a thread stays beside the memory it touched first.</summary>
    public ThreadPlacement Placement(int threads)
    {
        int processors = Nodes.Sum(n => n.Count), before = 0;
        int[] threadsOfNode = new int[Nodes.Count];
        for (int node = 0; node < threadsOfNode.Length; node++)
        {
            int after = before + Nodes[node].Count;
            threadsOfNode[node] = (int)((long)threads * after / processors - (long)threads * before / processors);
            before = after;
        }

        return new ThreadPlacement(this, threadsOfNode);
    }

    /// <param name="root">/sys/devices/system, or a folder of a test that looks like it.</param>
    /// <param name="allowed">Processors of this process; null: all that are listed.</param>
    public static CpuTopology Read(string root, IReadOnlySet<int>? allowed)
    {
        try
        {
            int[] processors = [.. List(Path.Combine(root, "cpu", "online")).Where(p => allowed?.Contains(p) ?? true)];
            if (processors.Length == 0) return OneNode(Environment.ProcessorCount);
            Dictionary<int, int> rank = Ranks(root, processors);
            Dictionary<int, int> nodes = NodesOf(root);
            IGrouping<int, int>[] groups = [.. processors.GroupBy(p => nodes.GetValueOrDefault(p, 0)).OrderBy(g => g.Key)];
            IReadOnlyList<int>[] byNode = [.. groups.Select(g => g.OrderBy(p => rank[p]).ThenBy(p => p).ToArray())];
            return new CpuTopology(byNode, rank.Values.Count(r => r == 0), Distances(root, [.. groups.Select(g => g.Key)]));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return OneNode(Environment.ProcessorCount); // a container that hides /sys: no placement, which costs speed only
        }
    }

    /// <summary>0 for the first processor of a core, 1 for the one that shares it, and so on.</summary>
    private static Dictionary<int, int> Ranks(string root, int[] processors)
    {
        Dictionary<string, int> seen = [];
        Dictionary<int, int> ranks = [];
        foreach (int processor in processors)
        {
            string file = Path.Combine(root, "cpu", $"cpu{processor}", "topology", "thread_siblings_list");
            string core = File.Exists(file) ? File.ReadAllText(file).Trim() : $"cpu{processor}";
            ranks[processor] = seen[core] = seen.TryGetValue(core, out int before) ? before + 1 : 0;
        }

        return ranks;
    }

    private static Dictionary<int, int> NodesOf(string root)
    {
        Dictionary<int, int> nodes = [];
        string folder = Path.Combine(root, "node");
        if (!Directory.Exists(folder)) return nodes;
        foreach (int node in List(Path.Combine(folder, "online")))
            foreach (int processor in List(Path.Combine(folder, $"node{node}", "cpulist"))) nodes[processor] = node;
        return nodes;
    }

    /// <summary>Each node's distances to the given ones, which its file lists for all nodes online; null where one file does not.</summary>
    private static int[][]? Distances(string root, int[] nodes)
    {
        if (nodes.Length == 1) return null;
        int[] online = [.. List(Path.Combine(root, "node", "online"))];
        int[] columns = [.. nodes.Select(n => Array.IndexOf(online, n))];
        int[][] distances = new int[nodes.Length][];
        for (int i = 0; i < nodes.Length; i++)
        {
            string file = Path.Combine(root, "node", $"node{nodes[i]}", "distance");
            if (!File.Exists(file)) return null;
            string[] row = File.ReadAllText(file).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (row.Length != online.Length || columns.Contains(-1)) return null;
            distances[i] = [.. columns.Select(c => int.Parse(row[c], NumberStyles.None, CultureInfo.InvariantCulture))];
        }

        return distances;
    }

    /// <summary>"Cpus_allowed_list:	0-3,8" of /proc/self/status; null if it is not there.</summary>
    private static HashSet<int>? Allowed(string status)
    {
        const string Key = "Cpus_allowed_list:";
        try
        {
            return File.ReadLines(status).FirstOrDefault(l => l.StartsWith(Key, StringComparison.Ordinal)) is { } line ? [.. Parse(line[Key.Length..])] : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return null; // then all that are online count
        }
    }

    /// <summary>The kernel's list format: "0-3,8".</summary>
    public static string Listed(IEnumerable<int> processors)
    {
        List<(int First, int Last)> ranges = [];
        foreach (int processor in processors.Order())
        {
            if (ranges.Count > 0 && ranges[^1].Last == processor - 1) ranges[^1] = (ranges[^1].First, processor);
            else ranges.Add((processor, processor));
        }

        return string.Join(',', ranges.Select(r => r.First == r.Last ? $"{r.First}" : $"{r.First}-{r.Last}"));
    }

    private static IEnumerable<int> List(string file) => Parse(File.ReadAllText(file));

    /// <summary>"0-3,8": the kernel's list format.</summary>
    private static IEnumerable<int> Parse(string list)
    {
        foreach (string part in list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] ends = part.Split('-');
            int first = int.Parse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture), last = int.Parse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture);
            for (int i = first; i <= last; i++) yield return i;
        }
    }
}
