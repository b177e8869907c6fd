using System.Diagnostics;
using System.Net;
using InferenceServer.Generation;
using InferenceServer.Grpc;
using InferenceServer.Hosting.Devices;
using InferenceServer.Http;
using InferenceServer.Options;
using InferenceServer.Telemetry;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace InferenceServer.Hosting;

/// <summary>
/// The composition root: everything is built here, once. The doors open first (so that /alive answers and /health says "loading"),
/// then the model is loaded and kept; when it stops, requests drain before the doors close.
/// </summary>
internal sealed partial class ServerHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ServerOptions _options;
    private readonly ModelRegistry _models;
    private readonly ModelSupervisor _supervisor;
    private readonly Task<bool> _ready;
    private readonly ILogger _logger;

    private ServerHost(WebApplication app, ServerOptions options, ServedSource source, HostParts parts)
    {
        _app = app;
        _options = options;
        _models = app.Services.GetRequiredService<ModelRegistry>();
        _logger = app.Services.GetRequiredService<ILogger<ServerHost>>();
        HttpUrl = BoundUrl(0);
        GrpcUrl = options.Grpc.Enabled ? BoundUrl(1) : null;
        IModelDevice? device = null; // chosen once: a model that ran on a GPU is not loaded again on the CPU
        EngineObserver observer = app.Services.GetRequiredService<EngineObserver>();
        _supervisor = new ModelSupervisor(
            stopping => ModelLoader.LoadAsync(source, options, device ??= parts.ChooseDevice(options, _logger), observer, _logger, stopping),
            _models, parts.Restarts, TimeProvider.System, _logger);
        app.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.Register(Drain);
        _ready = SayReadyAsync();
    }

    /// <summary>Where HTTP answers, with the port that was really bound.</summary>
    public string HttpUrl { get; }

    /// <summary>Null when gRPC is off.</summary>
    public string? GrpcUrl { get; }

    public IServiceProvider Services => _app.Services;

    /// <summary>Completes when the model is ready or its loading failed; the result says which.</summary>
    public Task<bool> WaitUntilReadyAsync() => _ready;

    /// <exception cref="StartupException">A port is taken, a file is missing, the model's folder is not one.</exception>
    public static async Task<ServerHost> StartAsync(ServerOptions options, CancellationToken cancellation, HostParts? parts = null)
    {
        ServedSource source = ServedSource.Resolve(options.Model);
        WebApplication app = Build(options, new ModelRegistry(source.ServedId));
        try
        {
            await app.StartAsync(cancellation);
        }
        catch (IOException e)
        {
            await app.DisposeAsync();
            throw new StartupException($"Cannot listen: {e.Message} Another server may be running; choose other ports with --port and --grpc-port.", e);
        }

        return new ServerHost(app, options, source, parts ?? new HostParts());
    }

    /// <summary>The web application without a model: tests put their own into the registry.</summary>
    public static WebApplication Build(ServerOptions options, ModelRegistry models)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        ConfigureLogging(builder.Logging);
        builder.WebHost.ConfigureKestrel(kestrel => Listen(kestrel, options));
        builder.Host.ConfigureHostOptions(host => host.ShutdownTimeout = TimeSpan.FromSeconds(options.Http.DrainSeconds + 5));
        builder.Services
            .AddSingleton(options)
            .AddSingleton(models)
            .AddSingleton(TimeProvider.System)
            .AddSingleton(new ApiKeys(ReadKeys(options.Auth)))
            .AddSingleton(_ => new TelemetrySetup(typeof(ServerHost).Assembly.GetName().Version?.ToString(3) ?? "0"))
            .AddSingleton<ServerMetrics>()
            .AddSingleton<RequestLog>()
            .AddSingleton<EngineObserver>()
            .AddSingleton<RunningRequests>()
            .AddSingleton<GenerationPipeline>();
        WebApplication app = builder.Build();
        HttpApi.Map(app);
        GrpcApi.Map(app);
        TelemetrySetup telemetry = app.Services.GetRequiredService<TelemetrySetup>();
        _ = app.Services.GetRequiredService<ServerMetrics>(); // its gauges must exist before the first request
        app.MapGet("/metrics", (HttpContext http) => http.Response.WriteTextAsync(telemetry.Prometheus.Scrape(), PrometheusExporter.ContentType));
        return app;
    }

    /// <summary>Runs until SIGTERM, Ctrl-C or until the model cannot be served any more, so that whoever watches the process starts another; returns the process's exit code.</summary>
    public async Task<int> RunAsync()
    {
        Task stopped = _app.WaitForShutdownAsync();
        await Task.WhenAny(stopped, _supervisor.Ended);
        if (_models.Failure is { } failure)
        {
            await Console.Error.WriteLineAsync("error: " + failure);
            await _app.StopAsync();
            return 2;
        }

        await stopped;
        return 0;
    }

    public async ValueTask DisposeAsync()
    {
        await _supervisor.DisposeAsync();
        await _app.DisposeAsync();
    }

    private async Task<bool> SayReadyAsync()
    {
        if (await _supervisor.FirstReady is not { } model) return false;
        double seconds = (DateTime.UtcNow - Process.GetCurrentProcess().StartTime.ToUniversalTime()).TotalSeconds;
        Ready(_logger, model.Id, HttpUrl, GrpcUrl ?? "off", Math.Round(seconds, 2));
        return true;
    }

    private void Drain()
    {
        Draining(_logger, _options.Http.DrainSeconds);
        using CancellationTokenSource deadline = new(TimeSpan.FromSeconds(_options.Http.DrainSeconds));
        _supervisor.DrainAsync(deadline.Token).GetAwaiter().GetResult();
    }

    private static void ConfigureLogging(ILoggingBuilder logging)
    {
        logging.ClearProviders();
        logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "HH:mm:ss.fff ";
            console.UseUtcTimestamp = true;
        });
        logging.SetMinimumLevel(LogLevel.Information);
        logging.AddFilter("Microsoft", LogLevel.Warning);
        logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None); // a failed start is told as a sentence, not as a stack
    }

    private static void Listen(KestrelServerOptions kestrel, ServerOptions options)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = options.Http.MaxBodyBytes;
        kestrel.Limits.MinResponseDataRate = null; // slow readers are the SSE writer's to judge
        kestrel.Limits.Http2.MaxStreamsPerConnection = 4096; // one gRPC channel carries all streams of a client
        if (!OptionRules.TryParseHost(options.Http.Host, out IPAddress? address)) throw new StartupException($"--host is '{options.Http.Host}'; an IP address, localhost or * is expected.");
        kestrel.Listen(address, options.Http.Port, listen => listen.Protocols = HttpProtocols.Http1);
        if (options.Grpc.Enabled) kestrel.Listen(address, options.Grpc.Port, listen => listen.Protocols = HttpProtocols.Http2);
    }

    private static List<string> ReadKeys(AuthOptions auth)
    {
        List<string> keys = [.. auth.ApiKeys];
        if (auth.ApiKeyFile is null) return keys;
        keys.AddRange(File.ReadLines(auth.ApiKeyFile).Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#'));
        if (keys.Count == 0) throw new StartupException($"--api-key-file: '{auth.ApiKeyFile}' holds no key.");
        return keys;
    }

    private string BoundUrl(int index) => _app.Urls.ElementAt(index);

    [LoggerMessage(10, LogLevel.Information, "ready: model {Model} on {Http}, gRPC {Grpc}, {Seconds} s after process start")]
    private static partial void Ready(ILogger logger, string model, string http, string grpc, double seconds);

    [LoggerMessage(11, LogLevel.Information, "stopping: accepting nothing more, waiting up to {Seconds} s for running requests")]
    private static partial void Draining(ILogger logger, int seconds);
}
