using System.Diagnostics;
using System.Globalization;

namespace InferenceServer.PacedStreams;

/// <summary>What the processors did between two looks: this process, the client, and everything else, which spoils delays.</summary>
internal sealed class ProcessorMeter(Process client)
{
    private readonly TimeSpan _server = Environment.CpuUsage.TotalTime; // its split into user and kernel is sampled at the system's ticks, in step with ours: not used
    private readonly TimeSpan _client = TotalOf(client);
    private readonly (long Busy, long All)? _machine = ReadMachine();

    /// <summary>User and system time.</summary>
    public TimeSpan Server => Environment.CpuUsage.TotalTime - _server;

    /// <summary>Share of all processors' time that others used, 0 to 1; null where the system does not tell.</summary>
    public double? Others()
    {
        if (_machine is not { } then || ReadMachine() is not { } now || now.All == then.All) return null;
        const double TicksPerSecond = 100; // USER_HZ of /proc/stat
        double ours = (Server + TotalOf(client) - _client).TotalSeconds * TicksPerSecond;
        return Math.Max(0, (now.Busy - then.Busy - ours) / (now.All - then.All));
    }

    private static TimeSpan TotalOf(Process process)
    {
        process.Refresh();
        return process.TotalProcessorTime;
    }

    private static (long Busy, long All)? ReadMachine()
    {
        if (!File.Exists("/proc/stat")) return null;
        string[] fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        long[] ticks = [.. fields.Skip(1).Take(8).Select(field => long.Parse(field, CultureInfo.InvariantCulture))];
        long all = ticks.Sum(), idle = ticks[3] + ticks[4]; // idle and waiting for disks
        return (all - idle, all);
    }
}
