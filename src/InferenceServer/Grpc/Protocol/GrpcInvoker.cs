using System.Globalization;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace InferenceServer.Grpc.Protocol;

/// <summary>
/// What surrounds every method: is this a gRPC call that can be served, its deadline, and the status it ends with.
/// After gRPC's own description (grpc/grpc, doc/PROTOCOL-HTTP2.md). Thread-safe.
/// </summary>
internal sealed partial class GrpcInvoker(GrpcLimits limits, ILogger<GrpcInvoker> logger)
{
    private const string ContentType = "application/grpc";

    /// <summary>"application/grpc", "application/grpc+proto", "application/grpc;…"; not grpc-web.</summary>
    public static bool IsGrpc(HttpContext http) =>
        http.Request.ContentType is { } type && type.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase)
        && (type.Length == ContentType.Length || type[ContentType.Length] is '+' or ';');

    /// <param name="http">The request.</param>
    /// <param name="duplex">The client may be silent for as long as it likes between messages.</param>
    /// <param name="method">Reads, answers, and returns for OK or throws a <see cref="GrpcException"/>.</param>
    public async Task InvokeAsync(HttpContext http, bool duplex, Func<GrpcCall, Task> method)
    {
        if (!IsGrpc(http))
        {
            await RefuseAsync(http, StatusCodes.Status415UnsupportedMediaType, "This URL is a gRPC method: the content type must be application/grpc.");
            return;
        }

        if (!HttpProtocol.IsHttp2(http.Request.Protocol))
        {
            http.Response.Headers.Upgrade = "h2c";
            await RefuseAsync(http, StatusCodes.Status426UpgradeRequired, "gRPC needs HTTP/2; it has a port of its own here (--grpc-port).");
            return;
        }

        LiftLimits(http, duplex);
        if (Encoding(http) is { } encoding)
            Finish(http, GrpcStatus.Unimplemented, $"Messages compressed with '{encoding}' are not taken here; send them uncompressed (identity).");
        else if (!TryTimeout(http, out TimeSpan? timeout))
            Finish(http, GrpcStatus.InvalidArgument, "The grpc-timeout is malformed: one to eight digits and a unit H, M, S, m, u or n are expected.");
        else
            await RunAsync(http, method, timeout);
    }

    /// <summary>For gRPC calls that no method claims.</summary>
    public static Task UnknownMethodAsync(HttpContext http)
    {
        string path = http.Request.Path.ToString();
        Finish(http, GrpcStatus.Unimplemented, $"There is no method {(path.Length > 256 ? path[..256] + "…" : path)}.");
        return Task.CompletedTask;
    }

    private async Task RunAsync(HttpContext http, Func<GrpcCall, Task> method, TimeSpan? timeout)
    {
        using CancellationTokenSource? deadline = timeout is null ? null : CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        if (timeout is { } time) deadline!.CancelAfter(time);
        GrpcCall call = new(http, limits, timeout, deadline?.Token ?? http.RequestAborted);
        try
        {
            http.Response.ContentType = ContentType;
            await method(call);
            Finish(http, GrpcStatus.Ok, "", hasBody: true);
        }
        catch (Exception e) when (http.RequestAborted.IsCancellationRequested)
        {
            ClientLeft(logger, http.Request.Path, e.GetType().Name); // nobody is there to be told a status
        }
        catch (GrpcException e)
        {
            if (e.Rejection is { } rejection) StatusTrailers.Describe(Trailers(http, call.HasWritten), rejection);
            Finish(http, e.Status, e.Message, call.HasWritten);
        }
        catch (OperationCanceledException) when (deadline is { IsCancellationRequested: true })
        {
            Finish(http, GrpcStatus.DeadlineExceeded, "The call's deadline passed.", call.HasWritten);
        }
        catch (OperationCanceledException e)
        {
            // A stalled client was cut off, or its leaving was seen by a flush first.
            ClientLeft(logger, http.Request.Path, e.Message);
            Finish(http, GrpcStatus.Cancelled, "The call was cancelled.", call.HasWritten);
        }
        catch (BadHttpRequestException e)
        {
            Finish(http, GrpcStatus.Internal, $"The request cannot be read: {e.Message}", call.HasWritten);
        }
        catch (Exception e)
        {
            Failed(logger, e, http.Request.Path);
            Finish(http, GrpcStatus.Internal, "The server failed at this call; its operator finds the cause in the log.", call.HasWritten);
        }
    }

    /// <summary>A message's size is bounded, not the stream's; and a duplex client may be silent.</summary>
    private static void LiftLimits(HttpContext http, bool duplex)
    {
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size) size.MaxRequestBodySize = null;
        if (duplex && http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate) rate.MinDataRate = null;
    }

    private static string? Encoding(HttpContext http)
    {
        http.Response.Headers["grpc-accept-encoding"] = "identity";
        string encoding = http.Request.Headers["grpc-encoding"].ToString();
        if (encoding is "" or "identity") return null;
        return encoding.Length > 32 ? encoding[..32] + "…" : encoding;
    }

    private static bool TryTimeout(HttpContext http, out TimeSpan? timeout)
    {
        timeout = null;
        string text = http.Request.Headers["grpc-timeout"].ToString();
        if (text.Length == 0) return true;
        bool parsed = GrpcTimeout.TryParse(text, out TimeSpan value);
        timeout = value;
        return parsed;
    }

    private static Task RefuseAsync(HttpContext http, int status, string sentence)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain; charset=utf-8";
        return http.Response.WriteAsync(sentence);
    }

    /// <summary>Before the first message a failure goes out in the headers alone, which clients call "trailers-only".</summary>
    private static IHeaderDictionary Trailers(HttpContext http, bool hasBody) =>
        hasBody || http.Response.HasStarted ? http.Features.GetRequiredFeature<IHttpResponseTrailersFeature>().Trailers : http.Response.Headers;

    private static void Finish(HttpContext http, GrpcStatus status, string message, bool hasBody = false)
    {
        http.Response.ContentType ??= ContentType;
        IHeaderDictionary trailers = Trailers(http, hasBody);
        trailers["grpc-status"] = ((int)status).ToString(CultureInfo.InvariantCulture);
        if (message.Length > 0) trailers["grpc-message"] = PercentEncoding.Encode(message);
    }

    [LoggerMessage(50, LogLevel.Debug, "gRPC {Path}: the client left ({Reason})")]
    private static partial void ClientLeft(ILogger logger, string path, string reason);

    [LoggerMessage(51, LogLevel.Error, "gRPC {Path} failed")]
    private static partial void Failed(ILogger logger, Exception exception, string path);
}
