using System.Net.Http.Headers;
using InferenceServer.Grpc.Protocol;

namespace InferenceServer.Tests.Grpc;

/// <summary>A call that ended with another status than OK, as the client saw it.</summary>
internal sealed class RpcFailure(GrpcStatus status, string message, HttpHeaders trailers, bool trailersOnly) : Exception($"{status}: {message}")
{
    public GrpcStatus Status { get; } = status;

    public string Sentence { get; } = message;

    public bool TrailersOnly { get; } = trailersOnly;

    public string? Trailer(string name) => trailers.TryGetValues(name, out IEnumerable<string>? values) ? values.Single() : null;
}
