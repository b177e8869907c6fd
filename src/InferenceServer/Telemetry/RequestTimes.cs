using InferenceServer.Core.Requests;

namespace InferenceServer.Telemetry;

/// <summary>A finished request's durations in seconds, from the engine's own timestamps. Null: it never got that far.</summary>
internal readonly record struct RequestTimes
{
    public RequestTimes(RequestSummary summary, long ticksPerSecond)
    {
        double Seconds(long from, long to) => (double)(to - from) / ticksPerSecond;
        EndToEnd = Seconds(summary.ArrivedTimestamp, summary.FinishedTimestamp);
        if (summary.ScheduledTimestamp == 0) return;
        Queue = Seconds(summary.ArrivedTimestamp, summary.ScheduledTimestamp);
        if (summary.FirstTokenTimestamp == 0) return;
        TimeToFirstToken = Seconds(summary.ArrivedTimestamp, summary.FirstTokenTimestamp);
        Prefill = Seconds(summary.ScheduledTimestamp, summary.FirstTokenTimestamp);
        Decode = Seconds(summary.FirstTokenTimestamp, summary.LastTokenTimestamp);
        int perChoice = summary.CompletionTokens / Math.Max(1, summary.Choices);
        if (perChoice > 1) TimePerOutputToken = Decode / (perChoice - 1);
    }

    public double EndToEnd { get; }

    /// <summary>Arrival to first step.</summary>
    public double? Queue { get; }

    public double? TimeToFirstToken { get; }

    /// <summary>First step to first token.</summary>
    public double? Prefill { get; }

    /// <summary>First to last token.</summary>
    public double? Decode { get; }

    /// <summary>TPOT: decode time per token after the first; choices run side by side, so it is counted per choice.</summary>
    public double? TimePerOutputToken { get; }
}
