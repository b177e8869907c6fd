using System.Diagnostics;

namespace InferenceServer.PacedStreams;

/// <summary>When each token of one stream was emitted and how long it took from there. One writer; read after it has stopped or between tokens.</summary>
/// <param name="capacity">Tokens; more are not recorded.</param>
internal sealed class LatencyLog(int capacity)
{
    private readonly (long Emitted, long Delay, bool Leads)[] _entries = new (long, long, bool)[capacity];
    private int _count;

    public int Count => Volatile.Read(ref _count);

    /// <param name="emitted">Ticks.</param>
    /// <param name="now">Ticks; equal for tokens that travelled together.</param>
    /// <param name="leads">The first of those that did.</param>
    public void Record(long emitted, long now, bool leads)
    {
        if (_count == _entries.Length) return;
        _entries[_count] = (emitted, now - emitted, leads);
        Volatile.Write(ref _count, _count + 1);
    }

    /// <summary>Over all streams, of the tokens emitted within [from, to).</summary>
    public static Latencies Summarize(IEnumerable<LatencyLog> logs, long from, long to)
    {
        List<long> delays = [];
        int writes = 0;
        foreach (LatencyLog log in logs)
        {
            foreach ((long emitted, long delay, bool leads) in log._entries.AsSpan(0, log.Count))
            {
                if (emitted < from || emitted >= to) continue;
                delays.Add(delay);
                if (leads) writes++;
            }
        }

        delays.Sort();
        return new Latencies(delays.Count, writes, Milliseconds(delays, 0.5), Milliseconds(delays, 0.99), Milliseconds(delays, 1));
    }

    private static double Milliseconds(List<long> sorted, double quantile) =>
        sorted.Count == 0 ? double.NaN : sorted[Math.Min(sorted.Count - 1, (int)(quantile * sorted.Count))] * 1e3 / Stopwatch.Frequency;
}
