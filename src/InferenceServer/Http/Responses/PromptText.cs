using System.Text;
using InferenceServer.Core.Text;
using InferenceServer.Generation;

namespace InferenceServer.Http.Responses;

/// <summary>A prompt as text, for echo.</summary>
internal static class PromptText
{
    /// <summary>
    /// As the caller wrote it; decoded where it came as ids, but for what its end leaves open: a character that the completion may finish
    /// is in the completion's text.
    /// </summary>
    public static string Of(TextGeneration generation)
    {
        if (generation.Request.Prompt is Prompt.FromText written) return written.Text;
        IDetokenizer detokenizer = generation.Model.Tokenizer.CreateDetokenizer(generation.Request.SkipSpecialTokens);
        StringBuilder text = new();
        foreach (int token in generation.PromptTokens) text.Append(detokenizer.Append(token));
        return text.ToString();
    }
}
