using System.Globalization;
using InferenceServer.Core.Requests;

namespace InferenceServer.Grpc.Protocol;

/// <summary>What a rejection says beside its status, for programs: the same words and times as over HTTP.</summary>
internal static class StatusTrailers
{
    public static void Describe(IHeaderDictionary trailers, RequestRejected rejection)
    {
        trailers["error-code"] = rejection.Code;
        if (rejection.Param is { } field && field.All(char.IsAscii)) trailers["error-field"] = field;
        if (rejection.Kind is not (RejectionKind.Unavailable or RejectionKind.RateLimited)) return;
        double milliseconds = Math.Ceiling(Math.Max(1, (rejection.RetryAfter ?? TimeSpan.FromSeconds(1)).TotalMilliseconds));
        trailers["retry-after"] = Math.Ceiling(milliseconds / 1000).ToString(CultureInfo.InvariantCulture);
        trailers["retry-after-ms"] = milliseconds.ToString(CultureInfo.InvariantCulture);
        trailers["grpc-retry-pushback-ms"] = trailers["retry-after-ms"]; // gRPC's own name for it (gRFC A6)
    }
}
