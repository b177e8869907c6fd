using System.Globalization;

namespace InferenceServer.Soak;

/// <summary>The server's resident memory, sampled from /proc. One owner: the progress loop.</summary>
internal sealed class MemoryWatch(int processId)
{
    private readonly List<(double Second, int Done, double Megabytes)> _samples = [];

    public double LatestMb => _samples.Count == 0 ? 0 : _samples[^1].Megabytes;

    /// <summary>VmHWM: the most there ever was, between samples too.</summary>
    public double PeakMb { get; private set; }

    /// <summary>Keeps the last figures when the process is gone.</summary>
    public void Sample(double second, int done)
    {
        if (Read("VmRSS:") is not { } megabytes) return;
        PeakMb = Read("VmHWM:") ?? PeakMb;
        _samples.Add((second, done, megabytes));
    }

    /// <summary>Median of the five samples around the moment when so many requests were done: one collection more or less does not decide.</summary>
    public double AfterMb(int done)
    {
        int at = _samples.FindIndex(s => s.Done >= done);
        if (at < 0) return LatestMb;
        List<double> window = [.. _samples.Skip(Math.Max(0, at - 2)).Take(5).Select(s => s.Megabytes).Order()];
        return window[window.Count / 2];
    }

    /// <summary>Median of the samples while the requests from the one to the other count were done. Collections make single samples jump.</summary>
    public double? MedianMb(int from, int to)
    {
        List<double> window = [.. _samples.Where(s => s.Done >= from && s.Done <= to).Select(s => s.Megabytes).Order()];
        return window.Count == 0 ? null : window[window.Count / 2];
    }

    /// <summary>Least squares over the samples since then, MB an hour.</summary>
    public double SlopeMbPerHour(int done)
    {
        List<(double X, double Y)> points = [.. _samples.Where(s => s.Done >= done).Select(s => (s.Second / 3600, s.Megabytes))];
        if (points.Count < 2) return 0;
        double x = points.Average(p => p.X), y = points.Average(p => p.Y);
        double spread = points.Sum(p => (p.X - x) * (p.X - x));
        return spread == 0 ? 0 : points.Sum(p => (p.X - x) * (p.Y - y)) / spread;
    }

    /// <summary>Evenly thinned, for the report.</summary>
    public IReadOnlyList<double> Curve(int points) =>
        [.. Enumerable.Range(0, Math.Min(points, _samples.Count)).Select(i => Math.Round(_samples[(int)((long)i * (_samples.Count - 1) / Math.Max(1, Math.Min(points, _samples.Count) - 1))].Megabytes, 1))];

    private double? Read(string field)
    {
        try
        {
            string? line = File.ReadLines($"/proc/{processId.ToString(CultureInfo.InvariantCulture)}/status").FirstOrDefault(l => l.StartsWith(field, StringComparison.Ordinal));
            string[]? parts = line?.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            return parts is { Length: >= 2 } ? double.Parse(parts[1], CultureInfo.InvariantCulture) / 1024 : null;
        }
        catch (IOException)
        {
            return null; // no such process any more, or no /proc here
        }
    }
}
