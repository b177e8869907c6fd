using System.Diagnostics;
using InferenceServer.Cpu;
using InferenceServer.Models;

namespace InferenceServer.Hosting.Devices;

/// <summary>What a load says: what is loaded where, then a line a second while weights are read.</summary>
/// <param name="logger">Hears it.</param>
/// <param name="work">What is going on.</param>
internal sealed partial class LoadLog(ILogger logger, string work = "loading") : IProgress<LoadProgress>
{
    private long _next = Stopwatch.GetTimestamp() + Stopwatch.Frequency;

    public void Report(LoadProgress value)
    {
        if (Stopwatch.GetTimestamp() < _next) return;
        _next = Stopwatch.GetTimestamp() + Stopwatch.Frequency;
        Progress(logger, work, value.BytesTotal == 0 ? 100 : 100 * value.BytesDone / value.BytesTotal, value.BytesDone >> 20, value.BytesTotal >> 20);
    }

    /// <param name="logger">Hears it.</param>
    /// <param name="report">Where the weights came from.</param>
    /// <param name="elapsed">Of the load, hashing and writing included.</param>
    public static void WeightCache(ILogger logger, WeightCacheReport report, TimeSpan elapsed)
    {
        foreach (string trouble in report.Troubles) CacheTrouble(logger, trouble);
        Origin(logger, report.BytesFound >> 20, report.Path, report.BytesRepacked >> 20, elapsed.TotalSeconds);
        if (report.Written) Kept(logger, report.Path);
    }

    [LoggerMessage(20, LogLevel.Information, "loading {Architecture}: {WeightsMb} MB of weights, KV pool of at most {KvMb} MB, on {Device}")]
    public static partial void Loading(ILogger logger, string architecture, long weightsMb, long kvMb, string device);

    [LoggerMessage(21, LogLevel.Information, "{Work}: {Percent} % ({DoneMb} of {TotalMb} MB)")]
    private static partial void Progress(ILogger logger, string work, long percent, long doneMb, long totalMb);

    [LoggerMessage(22, LogLevel.Information, "weights: {FoundMb} MB from the cache '{Path}', {RepackedMb} MB repacked, in {Seconds:F2} s")]
    private static partial void Origin(ILogger logger, long foundMb, string path, long repackedMb, double seconds);

    [LoggerMessage(23, LogLevel.Information, "weights: kept in '{Path}' for the next start")]
    private static partial void Kept(ILogger logger, string path);

    [LoggerMessage(24, LogLevel.Warning, "{Trouble}")]
    private static partial void CacheTrouble(ILogger logger, string trouble);
}
