using System.Globalization;
using InferenceServer.Core.Requests;

namespace InferenceServer.Http.Responses;

/// <summary>The Server-Timing header, from the engine's own timestamps.</summary>
internal static class ServerTiming
{
    public static string Of(RequestSummary summary, long ticksPerSecond)
    {
        double Milliseconds(long from, long to) => from == 0 || to == 0 ? 0 : 1000.0 * (to - from) / ticksPerSecond;
        double queue = Milliseconds(summary.ArrivedTimestamp, summary.ScheduledTimestamp);
        double prefill = Milliseconds(summary.ScheduledTimestamp, summary.FirstTokenTimestamp);
        double decode = Milliseconds(summary.FirstTokenTimestamp, summary.LastTokenTimestamp);
        return string.Create(CultureInfo.InvariantCulture, $"queue;dur={queue:0.###}, prefill;dur={prefill:0.###}, decode;dur={decode:0.###}");
    }

    /// <summary>Before the first byte of a stream, when the request's own times are not told yet: from arrival at the door to the first token.</summary>
    public static string ToFirstToken(TimeSpan elapsed) =>
        string.Create(CultureInfo.InvariantCulture, $"ttft;dur={elapsed.TotalMilliseconds:0.###}");
}
