using InferenceServer.Core.Requests;

namespace InferenceServer.Grpc.Protocol;

/// <summary>Ends a call with a status other than OK: the one way out of a method, as in every gRPC library.</summary>
internal sealed class GrpcException(GrpcStatus status, string message) : Exception(message)
{
    public GrpcException(RequestRejected rejection) : this(StatusOf(rejection.Kind), Sentence(rejection)) => Rejection = rejection;

    public GrpcStatus Status { get; } = status;

    /// <summary>Its code, field and time to retry go out as trailers.</summary>
    public RequestRejected? Rejection { get; }

    private static GrpcStatus StatusOf(RejectionKind kind) => kind switch
    {
        RejectionKind.Invalid => GrpcStatus.InvalidArgument,
        RejectionKind.Unauthenticated => GrpcStatus.Unauthenticated,
        RejectionKind.NotFound => GrpcStatus.NotFound,
        RejectionKind.TooLarge or RejectionKind.RateLimited => GrpcStatus.ResourceExhausted,
        RejectionKind.Unavailable => GrpcStatus.Unavailable,
        RejectionKind.DeadlineExceeded => GrpcStatus.DeadlineExceeded,
        _ => GrpcStatus.Internal,
    };

    private static string Sentence(RequestRejected rejection) =>
        rejection.Param is { } field && !rejection.Message.Contains(field, StringComparison.Ordinal) ? $"{field}: {rejection.Message}" : rejection.Message;
}
