using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using InferenceServer.Core.Requests;

namespace InferenceServer.Http;

/// <summary>Rejections and failures as OpenAI's clients expect them: status, headers and <c>{"error":{message,type,param,code}}</c>.</summary>
internal static class ErrorWriter
{
    /// <summary>How all JSON of this server is escaped: only what must be. The content type keeps browsers from reading it as HTML.</summary>
    public static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    // A client should not sit in its retry loop for longer than this.
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(60);

    public static Task WriteAsync(HttpContext http, RequestRejected rejection)
    {
        int status = Status(rejection.Kind);
        if (rejection.Kind == RejectionKind.Unauthenticated) http.Response.Headers.WWWAuthenticate = "Bearer";
        if (status is 429 or 503) SetRetryAfter(http.Response.Headers, status, rejection.RetryAfter ?? TimeSpan.FromSeconds(1));
        return WriteAsync(http, status, Type(rejection), rejection.Code, rejection.Param, rejection.Message);
    }

    /// <summary>For what has no rejection: unknown URLs, methods, media types, our own failures.</summary>
    public static async Task WriteAsync(HttpContext http, int status, string type, string? code, string? param, string message)
    {
        http.Response.StatusCode = status;
        await JsonResponse.WriteAsync(http, (type, code, param, message),
            static (json, error) => WriteBody(json, error.type, error.code, error.param, error.message));
    }

    /// <summary>The error object, for a response body or an event in a stream that has begun.</summary>
    public static void WriteBody(Utf8JsonWriter json, RequestRejected rejection) =>
        WriteBody(json, Type(rejection), rejection.Code, rejection.Param, rejection.Message);

    public static int Status(RejectionKind kind) => kind switch
    {
        RejectionKind.Invalid => 400,
        RejectionKind.Unauthenticated => 401,
        RejectionKind.NotFound => 404,
        RejectionKind.DeadlineExceeded => 408,
        RejectionKind.TooLarge => 413,
        RejectionKind.RateLimited => 429,
        RejectionKind.Unavailable => 503,
        _ => 500,
    };

    private static string Type(RequestRejected rejection) => rejection.Kind switch
    {
        RejectionKind.Invalid or RejectionKind.NotFound or RejectionKind.TooLarge => "invalid_request_error",
        RejectionKind.Unauthenticated => "authentication_error",
        RejectionKind.RateLimited => rejection.Code == "insufficient_quota" ? "insufficient_quota" : "rate_limit_error",
        _ => "server_error",
    };

    private static void SetRetryAfter(IHeaderDictionary headers, int status, TimeSpan wait)
    {
        double milliseconds = Math.Max(1, wait.TotalMilliseconds);
        headers.RetryAfter = Math.Ceiling(milliseconds / 1000).ToString(CultureInfo.InvariantCulture);
        headers["retry-after-ms"] = Math.Ceiling(milliseconds).ToString(CultureInfo.InvariantCulture);
        if (status == 429 && wait > LongestRetry) headers["x-should-retry"] = "false";
    }

    private static void WriteBody(Utf8JsonWriter json, string type, string? code, string? param, string message)
    {
        json.WriteStartObject();
        json.WriteStartObject("error"u8);
        json.WriteString("message"u8, message);
        json.WriteString("type"u8, type);
        json.WriteString("param"u8, param);
        json.WriteString("code"u8, code);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
