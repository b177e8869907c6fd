using System.Globalization;
using System.Text;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace InferenceServer.Telemetry;

/// <summary>How OpenTelemetry names, units and tags are written in Prometheus text.</summary>
internal static class PrometheusNames
{
    private const string VllmPrefix = "vllm.";

    public static string Type(Metric metric) => metric.MetricType switch
    {
        MetricType.LongSum or MetricType.DoubleSum => "counter",
        MetricType.Histogram or MetricType.ExponentialHistogram => "histogram",
        _ => "gauge",
    };

    /// <summary>Cleaned name, unit suffix, and _total on counters. vLLM calls its histogram of tokens per step _total too.</summary>
    public static string Family(Metric metric)
    {
        string name = metric.Name.StartsWith(VllmPrefix, StringComparison.Ordinal) ? "vllm:" + Clean(metric.Name[VllmPrefix.Length..]) : Clean(metric.Name);
        string unit = metric.Unit switch { "s" => "seconds", "ms" => "milliseconds", "By" => "bytes", { Length: > 0 } u when u[0] != '{' && u != "1" => Clean(u), _ => "" };
        if (unit.Length > 0 && !name.EndsWith("_" + unit, StringComparison.Ordinal)) name += "_" + unit;
        bool total = Type(metric) == "counter" || metric.Name == MetricNames.IterationTokens;
        return total && !name.EndsWith("_total", StringComparison.Ordinal) ? name + "_total" : name;
    }

    public static string Labels(ReadOnlyTagCollection tags)
    {
        StringBuilder text = new();
        foreach ((string key, object? value) in tags)
        {
            if (text.Length > 0) text.Append(',');
            text.Append(Clean(key)).Append("=\"").Append(Escape(Text(value), quotes: true)).Append('"');
        }

        return text.ToString();
    }

    public static string Escape(string text, bool quotes)
    {
        text = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        return quotes ? text.Replace("\"", "\\\"", StringComparison.Ordinal) : text;
    }

    public static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        double.NaN => "NaN",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };

    private static string Text(object? value) => value is bool flag ? (flag ? "true" : "false") : Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";

    private static string Clean(string name) => string.Create(name.Length, name, static (span, source) =>
    {
        for (int i = 0; i < source.Length; i++) span[i] = char.IsAsciiLetterOrDigit(source[i]) || source[i] is '_' or ':' ? source[i] : '_';
    });
}
