using InferenceServer.Generation;

namespace InferenceServer.Http.Responses;

/// <summary>A prompt as text, for echo.</summary>
internal static class PromptText
{
    /// <summary>As the caller wrote it; decoded where it came as ids.</summary>
    public static string Of(TextGeneration generation) => generation.Request.Prompt is Prompt.FromText text
        ? text.Text
        : generation.Model.Tokenizer.Decode(generation.PromptTokens, generation.Request.SkipSpecialTokens);
}
