using InferenceServer.Generation;

namespace InferenceServer.Grpc.Requests;

/// <summary>What a request's reader needs besides the message.</summary>
/// <param name="MetadataId">The caller's x-request-id; null when absent.</param>
/// <param name="Caller">Authenticated.</param>
/// <param name="Timeout">What is left of the call's deadline; null never expires.</param>
/// <param name="MaxSequences">More choices are refused.</param>
internal sealed record CallContext(string? MetadataId, Caller Caller, TimeSpan? Timeout, int MaxSequences);
