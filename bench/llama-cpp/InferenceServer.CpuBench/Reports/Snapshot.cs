using System.Globalization;
using System.Runtime.InteropServices;

namespace InferenceServer.CpuBench.Reports;

/// <summary>A table with what it was measured on and how, so that it can be repeated.</summary>
internal static class Snapshot
{
    // Their values are this machine's affair.
    private static readonly string[] PrivateOptions = ["--llama-cpp", "--folder", "--runs", "--snapshot"];

    /// <summary>Writes it to the file, and to standard output.</summary>
    public static void Write(string? path, string? peerVersion, string table)
    {
        string text = Header(peerVersion) + "\n" + table;
        Console.Out.WriteLine(text);
        if (path is null) return;
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
        File.WriteAllText(path, text.TrimEnd() + "\n");
    }

    /// <summary>The command line without this machine's paths.</summary>
    public static string Command(IEnumerable<string> arguments)
    {
        List<string> shown = [];
        string previous = "";
        foreach (string argument in arguments)
        {
            string option = argument.Split('=')[0];
            if (PrivateOptions.Contains(previous)) shown.Add("PATH");
            else shown.Add(PrivateOptions.Contains(option) && argument.Contains('=', StringComparison.Ordinal) ? option + "=PATH" : argument);
            previous = argument;
        }

        return "bench/llama-cpp/run.sh " + string.Join(' ', shown);
    }

    private static string Header(string? peerVersion) => string.Join('\n',
    [
        "# " + Command(Environment.GetCommandLineArgs().Skip(1)),
        $"{Processor()}, {Environment.ProcessorCount} processors, {RuntimeInformation.FrameworkDescription}, load average {LoadAverage()}, {DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}",
        .. peerVersion is null ? Array.Empty<string>() : [$"llama.cpp {peerVersion}"],
        "",
    ]);

    private static string Processor()
    {
        if (!File.Exists("/proc/cpuinfo")) return RuntimeInformation.ProcessArchitecture.ToString();
        Dictionary<string, string> first = File.ReadLines("/proc/cpuinfo").TakeWhile(l => l.Length > 0)
            .Select(l => l.Split(':', 2, StringSplitOptions.TrimEntries)).Where(p => p.Length == 2).ToDictionary(p => p[0], p => p[1]);
        string name = first.GetValueOrDefault("model name", "unknown processor");
        return first.TryGetValue("cpu family", out string? family) ? $"{name} (family {family}, model {first.GetValueOrDefault("model")})" : name;
    }

    private static string LoadAverage() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";
}
