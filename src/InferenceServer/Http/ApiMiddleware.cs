using InferenceServer.Core.Requests;
using InferenceServer.Generation;
using InferenceServer.Hosting;
using InferenceServer.Options;

namespace InferenceServer.Http;

/// <summary>Around every HTTP request: its id, its key, and an answer in the error shape for whatever goes wrong or leads nowhere.</summary>
internal sealed partial class ApiMiddleware(ApiKeys keys, HttpOptions options, ILogger<ApiMiddleware> logger)
{
    private static readonly PathString[] Guarded = ["/v1", "/tokenize", "/detokenize"];

    public async Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        if (http.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true)
        {
            await next(http); // gRPC has its own errors
            return;
        }

        string id = RequestIds.Choose(http.Request.Headers[RequestIds.Header]);
        http.TraceIdentifier = id;
        http.Response.Headers[RequestIds.Header] = id;
        try
        {
            if (Authenticate(http) is { } rejection) await ErrorWriter.WriteAsync(http, rejection);
            else await AnswerAsync(http, next);
        }
        catch (BadHttpRequestException e) when (!http.Response.HasStarted)
        {
            if (e.StatusCode == StatusCodes.Status413PayloadTooLarge) await ErrorWriter.WriteAsync(http, RequestBody.TooLarge(options.MaxBodyBytes));
            else await ErrorWriter.WriteAsync(http, e.StatusCode, "invalid_request_error", "bad_request", null, e.Message);
        }
        catch (Exception e) when (http.RequestAborted.IsCancellationRequested)
        {
            ClientLeft(logger, id, e.GetType().Name);
        }
        catch (Exception e)
        {
            Failed(logger, e, http.Request.Method, http.Request.Path, id);
            await FailAsync(http, id);
        }
    }

    /// <summary>Null lets the request pass.</summary>
    private RequestRejected? Authenticate(HttpContext http)
    {
        if (!Array.Exists(Guarded, prefix => http.Request.Path.StartsWithSegments(prefix))) return null;
        string? authorization = http.Request.Headers.Authorization.Count > 0 ? http.Request.Headers.Authorization[0] : null;
        (Caller? caller, RequestRejected? rejection) = keys.Authenticate(authorization);
        if (caller is not null) http.Features.Set(caller);
        return rejection;
    }

    private static async Task AnswerAsync(HttpContext http, RequestDelegate next)
    {
        await next(http);
        if (http.Response.HasStarted || http.Response.ContentType is not null) return;
        string path = http.Request.Path.ToString();
        string shown = path.Length > 256 ? path[..256] + "…" : path;
        switch (http.Response.StatusCode)
        {
            case StatusCodes.Status404NotFound:
                await ErrorWriter.WriteAsync(http, 404, "invalid_request_error", "unknown_url", null, $"Unknown URL ({http.Request.Method} {shown}). GET /openapi.json lists what there is.");
                break;
            case StatusCodes.Status405MethodNotAllowed:
                await ErrorWriter.WriteAsync(http, 405, "invalid_request_error", "method_not_allowed", null, $"{http.Request.Method} is not allowed on {shown}; allowed: {http.Response.Headers.Allow}.");
                break;
            case StatusCodes.Status415UnsupportedMediaType:
                await ErrorWriter.WriteAsync(http, 415, "invalid_request_error", "unsupported_media_type", null, "The request body must be JSON; send 'Content-Type: application/json'.");
                break;
        }
    }

    private static Task FailAsync(HttpContext http, string id)
    {
        if (http.Response.HasStarted)
        {
            http.Abort(); // a cut connection is the only honest end of a response that is half sent
            return Task.CompletedTask;
        }

        http.Response.Headers.ContentLength = null;
        return ErrorWriter.WriteAsync(http, 500, "server_error", "internal_error", null, $"The server failed at this request. Its operator finds the cause in the log under request id {id}.");
    }

    [LoggerMessage(30, LogLevel.Debug, "request {RequestId}: the client left ({Reason})")]
    private static partial void ClientLeft(ILogger logger, string requestId, string reason);

    [LoggerMessage(31, LogLevel.Error, "{Method} {Path} failed, request {RequestId}")]
    private static partial void Failed(ILogger logger, Exception exception, string method, string path, string requestId);
}
