using System.Globalization;

namespace InferenceServer.Cpu.Threads;

/// <summary>
/// The processors that this process may use: which share a core, and which share a memory node. Read from Linux's /sys once at start; elsewhere, and
/// where it cannot be read, every processor is a core of one node. Immutable.
/// </summary>
internal sealed class CpuTopology
{
    private CpuTopology(IReadOnlyList<IReadOnlyList<int>> nodes, int cores) => (Nodes, Cores) = (nodes, cores);

    /// <summary>Processors by memory node, nodes without any left out; within a node the first processor of every core comes first.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Nodes { get; }

    /// <summary>Physical cores that have a processor of ours.</summary>
    public int Cores { get; }

    public static CpuTopology OfThisMachine { get; } = OperatingSystem.IsLinux()
        ? Read("/sys/devices/system", Allowed("/proc/self/status"))
        : Flat(Environment.ProcessorCount);

    /// <summary>
    /// One thread a core: two that share one wait for each other's multipliers, and reading weights is limited by memory anyway. A container's share of
    /// the machine's time bounds it.
    /// </summary>
    public int DefaultThreads(int processorLimit) => Math.Max(1, Math.Min(Cores, processorLimit));

    /// <summary>
    /// The processors that each thread may run on, so that a thread stays beside the memory it touched first; null where there is one node and nothing to
    /// gain. Threads are dealt out in order, nodes by their number of processors.
    /// </summary>
    public IReadOnlyList<int>?[] Placement(int threads)
    {
        IReadOnlyList<int>?[] places = new IReadOnlyList<int>?[threads];
        if (Nodes.Count == 1) return places;
        int processors = Nodes.Sum(n => n.Count), before = 0;
        foreach (IReadOnlyList<int> node in Nodes)
        {
            int begin = (int)((long)threads * before / processors), end = (int)((long)threads * (before + node.Count) / processors);
            for (int thread = begin; thread < end; thread++)
                places[thread] = end - begin <= node.Count ? [node[thread - begin]] : node; // more threads than processors: the system shares them out
            before += node.Count;
        }

        return places;
    }

    /// <param name="root">/sys/devices/system, or a folder of a test that looks like it.</param>
    /// <param name="allowed">Processors of this process; null: all that are listed.</param>
    public static CpuTopology Read(string root, IReadOnlySet<int>? allowed)
    {
        try
        {
            int[] processors = [.. List(Path.Combine(root, "cpu", "online")).Where(p => allowed?.Contains(p) ?? true)];
            if (processors.Length == 0) return Flat(Environment.ProcessorCount);
            Dictionary<int, int> rank = Ranks(root, processors);
            Dictionary<int, int> nodes = NodesOf(root);
            List<IReadOnlyList<int>> byNode =
            [
                .. processors.GroupBy(p => nodes.GetValueOrDefault(p, 0)).OrderBy(g => g.Key)
                    .Select(g => (IReadOnlyList<int>)[.. g.OrderBy(p => rank[p]).ThenBy(p => p)]),
            ];
            return new CpuTopology(byNode, rank.Values.Count(r => r == 0));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return Flat(Environment.ProcessorCount); // a container that hides /sys: no placement, which costs speed only
        }
    }

    private static CpuTopology Flat(int processors) => new([[.. Enumerable.Range(0, processors)]], processors);

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
