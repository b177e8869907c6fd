using System.Text.Json;
using InferenceServer.Core.Text;
using InferenceServer.Generation;

namespace InferenceServer.Http.Responses;

/// <summary>The chat.completion object.</summary>
internal static class ChatResponseWriter
{
    public static void Write(Utf8JsonWriter json, ResponseHead head, ResponseCollector collected)
    {
        TextGeneration generation = collected.Group.Generations[0];
        json.WriteStartObject();
        head.WriteTo(json);
        json.WriteStartArray("choices"u8);
        for (int i = 0; i < collected.Choices[0].Length; i++) WriteChoice(json, i, collected.Choices[0][i], generation);
        json.WriteEndArray();
        json.WritePropertyName("usage"u8);
        collected.Group.Usage.WriteTo(json);
        if (collected.PromptLogprobs[0] is { } prompt)
        {
            json.WritePropertyName("prompt_logprobs"u8);
            TokenText.WritePrompt(json, generation.Model.Tokenizer, prompt);
        }

        json.WriteEndObject();
    }

    private static void WriteChoice(Utf8JsonWriter json, int index, CollectedChoice choice, TextGeneration generation)
    {
        json.WriteStartObject();
        json.WriteNumber("index"u8, index);
        json.WriteStartObject("message"u8);
        json.WriteString("role"u8, "assistant"u8);
        json.WriteString("content"u8, choice.Text.ToString());
        json.WriteNull("refusal"u8);
        json.WriteEndObject();
        if (generation.Request.Sampling.Logprobs) WriteLogprobs(json, choice.Tokens, generation.Model.Tokenizer);
        else json.WriteNull("logprobs"u8);
        json.WriteString("finish_reason"u8, FinishReasons.Text(choice.End.FinishReason));
        FinishReasons.WriteStopReason(json, choice.End.StopString, choice.End.StopToken);
        json.WriteEndObject();
    }

    private static void WriteLogprobs(Utf8JsonWriter json, List<ScoredToken> tokens, ITokenizer tokenizer)
    {
        json.WriteStartObject("logprobs"u8);
        json.WriteStartArray("content"u8);
        foreach (ScoredToken token in tokens) TokenText.WriteChat(json, tokenizer, token.Token, token.Logprob, token.Top);
        json.WriteEndArray();
        json.WriteNull("refusal"u8);
        json.WriteEndObject();
    }
}
