using System.Threading.Channels;
using InferenceServer.Core.Requests;

namespace InferenceServer.Telemetry;

/// <summary>
/// One structured line per finished request: ids, tokens, timings, finish reason; never text. Lines are written by a background task,
/// because a console that blocks must not block the engine; when it falls far behind, lines are dropped and counted.
/// </summary>
internal sealed partial class RequestLog : IAsyncDisposable
{
    private const int Capacity = 16_384; // about ten seconds of lines at the highest request rate measured
    private readonly ILogger<RequestLog> _logger;
    private readonly Channel<(RequestSummary Summary, RequestTimes Times)> _lines;
    private readonly Task _writer;
    private long _dropped;

    public RequestLog(ILogger<RequestLog> logger)
    {
        _logger = logger;
        _lines = Channel.CreateBounded<(RequestSummary, RequestTimes)>(
            new BoundedChannelOptions(Capacity) { SingleReader = true, FullMode = BoundedChannelFullMode.DropWrite },
            _ => Interlocked.Increment(ref _dropped));
        _writer = Task.Run(WriteLinesAsync);
    }

    /// <summary>Never blocks.</summary>
    public void Write(RequestSummary summary, RequestTimes times)
    {
        if (_logger.IsEnabled(LogLevel.Information)) _lines.Writer.TryWrite((summary, times));
    }

    public async ValueTask DisposeAsync()
    {
        _lines.Writer.TryComplete();
        await _writer;
    }

    private async Task WriteLinesAsync()
    {
        await foreach ((RequestSummary summary, RequestTimes times) in _lines.Reader.ReadAllAsync())
        {
            Finished(_logger, summary.RequestId, summary.Tenant, ServerMetrics.Reason(summary.FinishReason), summary.PromptTokens, summary.CachedTokens,
                summary.CompletionTokens, Milliseconds(times.Queue), Milliseconds(times.TimeToFirstToken), Milliseconds(times.TimePerOutputToken),
                Milliseconds(times.EndToEnd), summary.Preemptions);
            long dropped = Interlocked.Exchange(ref _dropped, 0);
            if (dropped > 0) Dropped(_logger, dropped);
        }
    }

    private static double Milliseconds(double? seconds) => Math.Round((seconds ?? 0) * 1000, 3);

    [LoggerMessage(1, LogLevel.Information, "request {RequestId} tenant {Tenant} finished {Reason}: prompt {PromptTokens} (cached {CachedTokens}), completion {CompletionTokens}; queue {QueueMs} ms, TTFT {TtftMs} ms, TPOT {TpotMs} ms, total {TotalMs} ms; preemptions {Preemptions}")]
    private static partial void Finished(ILogger logger, string requestId, string tenant, string reason, int promptTokens, int cachedTokens,
        int completionTokens, double queueMs, double ttftMs, double tpotMs, double totalMs, int preemptions);

    [LoggerMessage(2, LogLevel.Warning, "{Count} request lines were dropped: the log is written faster than it is read")]
    private static partial void Dropped(ILogger logger, long count);
}
