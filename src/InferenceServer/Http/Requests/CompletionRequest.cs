using InferenceServer.Generation;

namespace InferenceServer.Http.Requests;

/// <summary>A checked completion request: one generation a prompt, equal in everything else.</summary>
/// <param name="Echo">The prompt's text comes before the completion's, and its log-probabilities where asked for.</param>
internal sealed record CompletionRequest(IReadOnlyList<GenerationRequest> Generations, StreamChoice Delivery, bool Echo);
