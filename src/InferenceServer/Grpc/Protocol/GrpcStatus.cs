namespace InferenceServer.Grpc.Protocol;

/// <summary>How a call ended; the numbers are gRPC's (grpc/grpc, doc/statuscodes.md).</summary>
internal enum GrpcStatus
{
    Ok,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}
