using System.Globalization;

namespace InferenceServer.GpuBench.Reports;

/// <summary>What bench/gpu/compile.sh left in a folder, one file an architecture and kernel family, as rows of the snapshot.</summary>
internal static class CompilerReport
{
    /// <summary>False if there was nothing to read, or a file was refused.</summary>
    public static bool Write(string tool, string folder, ResultLog log)
    {
        string[] files = Directory.Exists(folder) ? [.. Directory.GetFiles(folder, "*.txt").Order(StringComparer.Ordinal)] : [];
        if (files.Length == 0)
        {
            log.Missing(tool, "it compiled nothing: no kernels were packed, or their sources are not here");
            return false;
        }

        bool accepted = true;
        foreach (string file in files) accepted &= WriteFamily(tool, file, log);
        return accepted;
    }

    private static bool WriteFamily(string tool, string file, ResultLog log)
    {
        // The name is <arch>-<family>.txt, the first line "exit status, milliseconds".
        string[] name = Path.GetFileNameWithoutExtension(file).Split('-', 2);
        string[] lines = File.ReadAllLines(file);
        string[] head = lines[0].Split(' ');
        bool accepted = head[0] == "0";
        IReadOnlyList<KernelUsage> kernels = KernelUsage.Parse(lines);
        IReadOnlyList<string> complaints = KernelUsage.Complaints(lines.Skip(1));
        log.Write("compiled", ("tool", tool), ("arch", name[0]), ("family", name[1]), ("accepted", accepted), ("ms", int.Parse(head[1], CultureInfo.InvariantCulture)),
            ("kernels", kernels.Count), ("most registers", kernels.Count == 0 ? 0 : kernels.Max(k => k.Registers)),
            ("kernels that spill", kernels.Count(k => k.SpillStores + k.SpillLoads > 0)),
            ("first complaint", complaints.Count == 0 ? "" : complaints[0].Trim()));
        foreach (KernelUsage kernel in kernels)
            log.Write("kernels by " + tool, ("arch", name[0]), ("kernel", kernel.Kernel), ("registers", kernel.Registers), ("stack", kernel.Stack),
                ("spill stores", kernel.SpillStores), ("spill loads", kernel.SpillLoads), ("shared", kernel.Shared));
        return accepted;
    }
}
