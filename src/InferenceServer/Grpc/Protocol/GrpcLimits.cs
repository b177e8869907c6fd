namespace InferenceServer.Grpc.Protocol;

/// <summary>What one call may cost.</summary>
/// <param name="MaxMessageBytes">Larger request messages are RESOURCE_EXHAUSTED, before they are read.</param>
/// <param name="StallLimit">A client that takes nothing for this long is cut off.</param>
internal sealed record GrpcLimits(long MaxMessageBytes, TimeSpan StallLimit);
