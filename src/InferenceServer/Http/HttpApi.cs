using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;
using InferenceServer.Hosting;
using InferenceServer.Http.Endpoints;
using InferenceServer.Options;

namespace InferenceServer.Http;

/// <summary>Every URL of the HTTP door. What is mapped here is described in openapi.json beside this file; a test compares the two.</summary>
internal static class HttpApi
{
    private static readonly string[] Reads = ["GET", "HEAD"];

    public static void Map(WebApplication app)
    {
        IServiceProvider services = app.Services;
        ModelRegistry models = services.GetRequiredService<ModelRegistry>();
        HttpOptions options = services.GetRequiredService<ServerOptions>().Http;
        StreamTiming timing = services.GetService<StreamTiming>() ?? new StreamTiming();
        GenerationEndpoint generation = new(services.GetRequiredService<GenerationPipeline>(), models, options, timing, services.GetRequiredService<TimeProvider>());
        TextEndpoints text = new(models, options);
        StateEndpoints state = new(models);

        app.Use(new ApiMiddleware(services.GetRequiredService<ApiKeys>(), options, services.GetRequiredService<ILogger<ApiMiddleware>>()).InvokeAsync);
        app.MapPost("/v1/chat/completions", WithBody(generation.ChatAsync, options));
        app.MapPost("/v1/completions", WithBody(generation.CompletionAsync, options));
        app.MapPost("/tokenize", WithBody(text.TokenizeAsync, options));
        app.MapPost("/detokenize", WithBody(text.DetokenizeAsync, options));
        app.MapMethods("/v1/models", Reads, state.ModelsAsync);
        app.MapMethods("/v1/models/{**id}", Reads, state.ModelAsync); // ids may contain slashes
        app.MapMethods("/health", Reads, state.HealthAsync);
        app.MapMethods("/alive", Reads, StateEndpoints.AliveAsync);
        app.MapMethods("/version", Reads, StateEndpoints.VersionAsync);
        app.MapMethods("/openapi.json", Reads, StateEndpoints.OpenApiAsync);
        app.MapMethods("/", Reads, StateEndpoints.RootAsync);
    }

    /// <summary>Reads and parses the JSON body before the handler runs; the handler's request objects may refer to it until it returns.</summary>
    private static RequestDelegate WithBody(Func<HttpContext, JsonElement, Task> handler, HttpOptions options) => async http =>
    {
        if (!string.IsNullOrEmpty(http.Request.ContentType) && !http.Request.HasJsonContentType())
        {
            http.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return;
        }

        (JsonDocument? body, RequestRejected? rejection) = await RequestBody.ReadAsync(http, options.MaxBodyBytes);
        if (body is null)
        {
            await ErrorWriter.WriteAsync(http, rejection!);
            return;
        }

        using (body) await handler(http, body.RootElement);
    };
}
