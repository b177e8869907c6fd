using System.Diagnostics;
using InferenceServer.Models;

namespace InferenceServer.Hosting.Devices;

/// <summary>What a load says: what is loaded where, then a line a second while weights are read.</summary>
internal sealed partial class LoadLog(ILogger logger) : IProgress<LoadProgress>
{
    private long _next = Stopwatch.GetTimestamp() + Stopwatch.Frequency;

    public void Report(LoadProgress value)
    {
        if (Stopwatch.GetTimestamp() < _next) return;
        _next = Stopwatch.GetTimestamp() + Stopwatch.Frequency;
        Progress(logger, value.BytesTotal == 0 ? 100 : 100 * value.BytesDone / value.BytesTotal, value.BytesDone >> 20, value.BytesTotal >> 20);
    }

    [LoggerMessage(20, LogLevel.Information, "loading {Architecture}: {WeightsMb} MB of weights, KV pool of at most {KvMb} MB, on {Device}")]
    public static partial void Loading(ILogger logger, string architecture, long weightsMb, long kvMb, string device);

    [LoggerMessage(21, LogLevel.Information, "loading: {Percent} % ({DoneMb} of {TotalMb} MB)")]
    private static partial void Progress(ILogger logger, long percent, long doneMb, long totalMb);
}
