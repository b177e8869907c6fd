using System.Globalization;
using System.Reflection;
using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Hosting;
using InferenceServer.Telemetry;

namespace InferenceServer.Http.Endpoints;

/// <summary>What the server is, has and does: models, health, version, its own description. Thread-safe.</summary>
internal sealed class StateEndpoints(ModelRegistry models)
{
    private static readonly string Version = typeof(StateEndpoints).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";
    private static readonly byte[] OpenApi = ReadOpenApi();
    private readonly long _started = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    public static Task RootAsync(HttpContext http) => http.Response.WriteTextAsync("""
        InferenceServer: an OpenAI-compatible LLM server.
        Ask at    POST /v1/chat/completions  or  POST /v1/completions
        Models    GET /v1/models
        Health    GET /health, /alive, /metrics, /version
        All of it GET /openapi.json

        """, "text/plain; charset=utf-8");

    public static Task OpenApiAsync(HttpContext http) => JsonResponse.WriteAsync(http, OpenApi);

    public static Task AliveAsync(HttpContext http) => WriteStatusAsync(http, "alive", null);

    public static Task VersionAsync(HttpContext http) => JsonResponse.WriteAsync(http, Version, static (json, version) =>
    {
        json.WriteStartObject();
        json.WriteString("version"u8, version);
        json.WriteEndObject();
    });

    public Task ModelsAsync(HttpContext http) => JsonResponse.WriteAsync(http, this, static (json, state) =>
    {
        json.WriteStartObject();
        json.WriteString("object"u8, "list"u8);
        json.WriteStartArray("data"u8);
        state.WriteModel(json);
        json.WriteEndArray();
        json.WriteEndObject();
    });

    public Task ModelAsync(HttpContext http)
    {
        string id = http.Request.RouteValues["id"] as string ?? "";
        if (id == models.ServedId) return JsonResponse.WriteAsync(http, this, static (json, state) => state.WriteModel(json));
        models.TryResolve(id, out _, out RequestRejected? rejection);
        return ErrorWriter.WriteAsync(http, rejection!);
    }

    /// <summary>200 only when a request would be taken: the loader publishes a model after its first decode step.</summary>
    public Task HealthAsync(HttpContext http)
    {
        ModelState state = models.State;
        if (state.Ready is not { } model)
        {
            (string name, string reason) = state switch
            {
                { Failure: { } failure } => ("failed", failure),
                { Outage: { } outage } => ("restarting", outage),
                _ => ("loading", "The model is still loading."),
            };
            return UnhealthyAsync(http, name, reason, (int)Math.Ceiling(state.RetryAfter.TotalSeconds));
        }

        EngineStatus status = model.Engine.Status;
        if (!status.Healthy) return UnhealthyAsync(http, "unhealthy", status.Fault ?? "The engine has failed.", 30);
        return status.Draining ? UnhealthyAsync(http, "draining", "The server is shutting down.", 30) : WriteStatusAsync(http, "ok", null);
    }

    private static Task UnhealthyAsync(HttpContext http, string status, string reason, int retrySeconds)
    {
        http.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        http.Response.Headers.RetryAfter = retrySeconds.ToString(CultureInfo.InvariantCulture);
        return WriteStatusAsync(http, status, reason);
    }

    private static Task WriteStatusAsync(HttpContext http, string status, string? reason) => JsonResponse.WriteAsync(http, (status, reason), static (json, body) =>
    {
        json.WriteStartObject();
        json.WriteString("status"u8, body.status);
        if (body.reason is not null) json.WriteString("reason"u8, body.reason);
        json.WriteEndObject();
    });

    private void WriteModel(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, models.ServedId);
        json.WriteString("object"u8, "model"u8);
        json.WriteNumber("created"u8, models.Ready?.Created ?? _started);
        json.WriteString("owned_by"u8, "inference-server"u8);
        if (models.Ready is { } ready) json.WriteNumber("max_model_len"u8, ready.ContextLength);
        json.WriteEndObject();
    }

    private static byte[] ReadOpenApi()
    {
        using Stream stream = typeof(StateEndpoints).Assembly.GetManifestResourceStream("openapi.json")!;
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
