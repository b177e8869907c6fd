using InferenceServer.Generation;

namespace InferenceServer.Http.Requests;

/// <summary>A checked chat request.</summary>
internal sealed record ChatRequest(GenerationRequest Generation, StreamChoice Delivery);
