using InferenceServer.Core.Requests;

namespace InferenceServer.Telemetry;

/// <summary>Listens on the engine's thread: records histograms (tens of nanoseconds each) and hands the log line to another thread.</summary>
internal sealed class EngineObserver(ServerMetrics metrics, RequestLog log, TimeProvider time) : IEngineObserver
{
    private readonly double _secondsPerTick = 1.0 / time.TimestampFrequency;

    public void StepFinished(int tokens, int sequences, long elapsedTicks) => metrics.StepFinished(tokens);

    public void TokenEmitted(long sincePreviousTicks)
    {
        if (sincePreviousTicks > 0) metrics.TokenEmitted(sincePreviousTicks * _secondsPerTick);
    }

    public void RequestFinished(RequestSummary summary)
    {
        RequestTimes times = new(summary, time.TimestampFrequency);
        metrics.RequestFinished(times, summary);
        log.Write(summary, times);
    }
}
