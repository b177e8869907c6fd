using System.Diagnostics.Metrics;
using InferenceServer.Core.Requests;
using InferenceServer.Hosting;

namespace InferenceServer.Telemetry;

/// <summary>
/// The instruments and how engine facts become numbers in them. Gauges and totals are read from the engine's status when scraped, so they
/// cost the engine nothing; histograms are recorded by <see cref="EngineObserver"/>. Thread-safe.
/// </summary>
internal sealed class ServerMetrics : IDisposable
{
    public const string MeterName = "InferenceServer";

    // vLLM's buckets, so that its dashboards' quantiles come out alike.
    private static readonly double[] TimeToFirstTokenBuckets = [.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560];
    private static readonly double[] TokenLatencyBuckets = [.001, .0025, .005, .01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
    private static readonly double[] RequestLatencyBuckets = [.01, .05, .1, .3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];
    private static readonly double[] TokenCountBuckets = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];
    private static readonly double[] IterationBuckets = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384];

    private readonly Meter _meter = new(MeterName);
    private readonly ModelRegistry _models;
    private readonly KeyValuePair<string, object?>[] _labels;
    private readonly KeyValuePair<string, object?>[] _genAiLabels;
    private readonly Counter<long> _success;
    private readonly Counter<long> _rejections;
    private readonly Histogram<double> _timeToFirstToken, _interToken, _perOutputToken, _endToEnd, _queue, _prefill, _decode, _inference;
    private readonly Histogram<double> _genAiDuration, _genAiFirst, _genAiPerToken;
    private readonly Histogram<long> _promptTokens, _generationTokens, _iteration;

    public ServerMetrics(ModelRegistry models)
    {
        _models = models;
        _labels = [new("model_name", models.ServedId), new("engine", "0")];
        _genAiLabels = [new("gen_ai.operation.name", "chat"), new("gen_ai.provider.name", "inference_server"), new("gen_ai.request.model", models.ServedId)];
        CreateGauges();
        CreateTotals();
        _success = _meter.CreateCounter<long>(MetricNames.Success, null, "Requests that finished, by reason.");
        _rejections = _meter.CreateCounter<long>(MetricNames.Rejections, null, "Requests refused before they were queued, by reason.");
        _timeToFirstToken = Seconds(MetricNames.TimeToFirstToken, "Arrival to first token.", TimeToFirstTokenBuckets);
        _interToken = Seconds(MetricNames.InterTokenLatency, "Between two tokens of one choice.", TokenLatencyBuckets);
        _perOutputToken = Seconds(MetricNames.TimePerOutputToken, "Mean time per token after the first, per request.", TokenLatencyBuckets);
        _endToEnd = Seconds(MetricNames.EndToEnd, "Arrival to end.", RequestLatencyBuckets);
        _queue = Seconds(MetricNames.QueueTime, "Arrival to first step.", RequestLatencyBuckets);
        _prefill = Seconds(MetricNames.PrefillTime, "First step to first token.", RequestLatencyBuckets);
        _decode = Seconds(MetricNames.DecodeTime, "First token to last token.", RequestLatencyBuckets);
        _inference = Seconds(MetricNames.InferenceTime, "First step to last token.", RequestLatencyBuckets);
        _genAiDuration = Seconds(MetricNames.GenAiDuration, "Arrival to end.", RequestLatencyBuckets, "s");
        _genAiFirst = Seconds(MetricNames.GenAiTimeToFirstToken, "Arrival to first token.", TimeToFirstTokenBuckets, "s");
        _genAiPerToken = Seconds(MetricNames.GenAiTimePerOutputToken, "Mean time per token after the first.", TokenLatencyBuckets, "s");
        _promptTokens = Tokens(MetricNames.RequestPromptTokens, "Prompt tokens per request.", TokenCountBuckets);
        _generationTokens = Tokens(MetricNames.RequestGenerationTokens, "Generated tokens per request.", TokenCountBuckets);
        _iteration = Tokens(MetricNames.IterationTokens, "Tokens computed per step.", IterationBuckets);
    }

    public void Rejected(RequestRejected rejection) => _rejections.Add(1, [.. _labels, new("reason", rejection.Code)]);

    public void StepFinished(int tokens) => _iteration.Record(tokens, _labels);

    public void TokenEmitted(double seconds) => _interToken.Record(seconds, _labels);

    public void RequestFinished(RequestTimes times, RequestSummary summary)
    {
        _success.Add(1, [.. _labels, new("finished_reason", Reason(summary.FinishReason))]);
        _endToEnd.Record(times.EndToEnd, _labels);
        _genAiDuration.Record(times.EndToEnd, _genAiLabels);
        _promptTokens.Record(summary.PromptTokens, _labels);
        _generationTokens.Record(summary.CompletionTokens, _labels);
        if (times.Queue is { } queue) _queue.Record(queue, _labels);
        if (times.TimeToFirstToken is not { } first) return;
        _timeToFirstToken.Record(first, _labels);
        _genAiFirst.Record(first, _genAiLabels);
        _prefill.Record(times.Prefill!.Value, _labels);
        _decode.Record(times.Decode!.Value, _labels);
        _inference.Record(times.Prefill.Value + times.Decode.Value, _labels);
        if (times.TimePerOutputToken is not { } perToken) return;
        _perOutputToken.Record(perToken, _labels);
        _genAiPerToken.Record(perToken, _genAiLabels);
    }

    public void Dispose() => _meter.Dispose();

    /// <summary>vLLM's words.</summary>
    public static string Reason(FinishReason reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        FinishReason.Cancelled => "abort",
        FinishReason.Deadline => "deadline",
        _ => "error",
    };

    private void CreateGauges()
    {
        Gauge(MetricNames.Running, "Sequences in the running set.", s => s.SequencesRunning);
        Gauge(MetricNames.Waiting, "Requests waiting for admission.", s => s.RequestsWaiting);
        Gauge(MetricNames.KvUsage, "Share of KV blocks held by sequences, 0 to 1.", s => s.BlocksTotal == 0 ? 0 : (double)s.BlocksUsed / s.BlocksTotal);
        _meter.CreateObservableGauge(MetricNames.CacheConfig, () => _models.Ready is { } model
            ? [new Measurement<long>(1, [.. _labels, new("block_size", model.Engine.Status.BlockSize), new("num_gpu_blocks", model.Engine.Status.BlocksTotal)])]
            : Array.Empty<Measurement<long>>(), null, "Size of the KV pool, as labels.");
    }

    private void CreateTotals()
    {
        Total(MetricNames.Preemptions, "Sequences whose blocks were taken back.", s => s.PreemptionsTotal);
        Total(MetricNames.PromptTokens, "Prompt tokens of admitted requests.", s => s.PromptTokensTotal);
        Total(MetricNames.CachedTokens, "Prompt tokens found in the prefix cache.", s => s.CachedTokensTotal);
        Total(MetricNames.GenerationTokens, "Tokens generated.", s => s.GeneratedTokensTotal);
        Total(MetricNames.PrefixQueries, "Tokens looked up in the prefix cache, once at admission.", s => s.PrefixQueriesTotal);
        Total(MetricNames.PrefixHits, "Tokens found in the prefix cache.", s => s.PrefixHitsTotal);
        _meter.CreateObservableCounter(MetricNames.Restarts, () => new Measurement<long>(_models.State.RestartsTotal, _labels), null, "Engines started in place of a broken one.");
    }

    private void Gauge(string name, string help, Func<EngineStatus, double> value) => _meter.CreateObservableGauge(name, () => Observe(_models.Ready?.Engine.Status, value), null, help);

    private void Total(string name, string help, Func<EngineStatus, long> value) => _meter.CreateObservableCounter(name, () => Observe(_models.State.Totals, value), null, help);

    private Measurement<T>[] Observe<T>(EngineStatus? status, Func<EngineStatus, T> value) where T : struct =>
        status is null ? [] : [new Measurement<T>(value(status), _labels)];

    private Histogram<double> Seconds(string name, string help, double[] buckets, string? unit = null) =>
        _meter.CreateHistogram(name, unit, help, null, new InstrumentAdvice<double> { HistogramBucketBoundaries = buckets });

    private Histogram<long> Tokens(string name, string help, double[] buckets) =>
        _meter.CreateHistogram(name, null, help, null, new InstrumentAdvice<long> { HistogramBucketBoundaries = [.. buckets.Select(b => (long)b)] });
}
