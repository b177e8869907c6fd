using System.Diagnostics;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace InferenceServer.Telemetry;

/// <summary>
/// The OpenTelemetry SDK: metrics always (for /metrics), and both metrics and traces by OTLP when the standard
/// OTEL_EXPORTER_OTLP_ENDPOINT is set. Disposed with the host, which flushes.
/// </summary>
internal sealed class TelemetrySetup : IDisposable
{
    public const string ActivitySourceName = "InferenceServer";

    /// <summary>Where request spans come from; free when nobody listens.</summary>
    public static readonly ActivitySource Activities = new(ActivitySourceName);

    private readonly MeterProvider _metrics;
    private readonly TracerProvider? _traces;

    public TelemetrySetup(string version)
    {
        ResourceBuilder resource = ResourceBuilder.CreateDefault().AddService("inference-server", serviceVersion: version);
        bool otlp = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT"));
        MeterProviderBuilder metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource)
            .AddMeter(ServerMetrics.MeterName, "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime")
            .AddView(instrument => instrument.Name.EndsWith(".count", StringComparison.Ordinal) ? MetricStreamConfiguration.Drop : null) // a gauge may not end so in Prometheus
            .AddReader(Prometheus.Reader);
        if (otlp) metrics.AddOtlpExporter();
        _metrics = metrics.Build();
        if (otlp)
        {
            _traces = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource)
                .AddSource(ActivitySourceName, "Microsoft.AspNetCore").AddOtlpExporter().Build();
        }
    }

    public PrometheusExporter Prometheus { get; } = new();

    public void Dispose()
    {
        _metrics.Dispose();
        _traces?.Dispose();
    }
}
