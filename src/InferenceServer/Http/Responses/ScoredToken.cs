using InferenceServer.Core.Requests;

namespace InferenceServer.Http.Responses;

/// <summary>A token of the answer or of an echoed prompt with its log-probability.</summary>
/// <param name="Logprob">NaN for a prompt's first token, which nothing predicts.</param>
/// <param name="Top">The most likely alternatives, best first.</param>
internal readonly record struct ScoredToken(int Token, float Logprob, TokenLogprob[]? Top);
