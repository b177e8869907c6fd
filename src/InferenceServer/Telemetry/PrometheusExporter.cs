using System.Globalization;
using System.Text;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace InferenceServer.Telemetry;

/// <summary>
/// Prometheus text (exposition format 0.0.4) of what the OpenTelemetry SDK holds, on demand. Stands in for the SDK's own Prometheus
/// exporter and can be deleted for it. Thread-safe: scrapes take turns.
/// </summary>
// Pull alone would make Collect() do nothing.
[ExportModes(ExportModes.Push | ExportModes.Pull)]
internal sealed class PrometheusExporter : BaseExporter<Metric>
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly Lock _scrape = new();
    private readonly StringBuilder _text = new();

    public PrometheusExporter() => Reader = new BaseExportingMetricReader(this) { TemporalityPreference = MetricReaderTemporalityPreference.Cumulative };

    public BaseExportingMetricReader Reader { get; }

    public string Scrape()
    {
        lock (_scrape)
        {
            _text.Clear();
            Reader.Collect(5000);
            return _text.ToString();
        }
    }

    public override ExportResult Export(in Batch<Metric> batch)
    {
        SortedDictionary<string, List<Metric>> families = new(StringComparer.Ordinal);
        foreach (Metric metric in batch)
        {
            string name = PrometheusNames.Family(metric);
            if (!families.TryGetValue(name, out List<Metric>? family)) families[name] = family = [];
            family.Add(metric);
        }

        foreach ((string name, List<Metric> metrics) in families) WriteFamily(name, metrics);
        return ExportResult.Success;
    }

    private void WriteFamily(string name, List<Metric> metrics)
    {
        Metric first = metrics[0];
        if (first.Description is { Length: > 0 } help) _text.Append("# HELP ").Append(name).Append(' ').Append(PrometheusNames.Escape(help, quotes: false)).Append('\n');
        _text.Append("# TYPE ").Append(name).Append(' ').Append(PrometheusNames.Type(first)).Append('\n');
        foreach (Metric metric in metrics)
        {
            foreach (ref readonly MetricPoint point in metric.GetMetricPoints()) WritePoint(name, metric.MetricType, point);
        }
    }

    private void WritePoint(string name, MetricType type, in MetricPoint point)
    {
        string labels = PrometheusNames.Labels(point.Tags);
        switch (type)
        {
            case MetricType.LongSum or MetricType.LongSumNonMonotonic: Sample(name, labels, point.GetSumLong()); break;
            case MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic: Sample(name, labels, point.GetSumDouble()); break;
            case MetricType.LongGauge: Sample(name, labels, point.GetGaugeLastValueLong()); break;
            case MetricType.DoubleGauge: Sample(name, labels, point.GetGaugeLastValueDouble()); break;
            case MetricType.Histogram: WriteHistogram(name, labels, point); break;
        }
    }

    private void WriteHistogram(string name, string labels, in MetricPoint point)
    {
        long sum = 0;
        foreach (HistogramBucket bucket in point.GetHistogramBuckets())
        {
            sum += bucket.BucketCount;
            string bound = $"le=\"{PrometheusNames.Number(bucket.ExplicitBound)}\"";
            Sample(name + "_bucket", labels.Length > 0 ? labels + "," + bound : bound, sum);
        }

        Sample(name + "_sum", labels, point.GetHistogramSum());
        Sample(name + "_count", labels, point.GetHistogramCount());
    }

    private void Sample(string name, string labels, double value)
    {
        _text.Append(name);
        if (labels.Length > 0) _text.Append('{').Append(labels).Append('}');
        _text.Append(CultureInfo.InvariantCulture, $" {PrometheusNames.Number(value)}\n");
    }
}
