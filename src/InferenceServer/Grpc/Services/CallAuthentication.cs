using InferenceServer.Core.Requests;
using InferenceServer.Generation;
using InferenceServer.Grpc.Protocol;
using InferenceServer.Hosting;

namespace InferenceServer.Grpc.Services;

/// <summary>The key in a call's metadata: the same keys and words as over HTTP. Thread-safe.</summary>
internal sealed class CallAuthentication(ApiKeys keys)
{
    /// <exception cref="GrpcException">UNAUTHENTICATED.</exception>
    public Caller Authenticate(GrpcCall call)
    {
        string? authorization = call.Metadata.Authorization.Count > 0 ? call.Metadata.Authorization[0] : null;
        (Caller? caller, RequestRejected? rejection) = keys.Authenticate(authorization);
        return caller ?? throw new GrpcException(rejection!);
    }
}
