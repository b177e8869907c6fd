using System.Runtime.InteropServices;
using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;

namespace InferenceServer.Http.Responses;

/// <summary>The text_completion object, delivered whole.</summary>
internal static class CompletionResponseWriter
{
    public static void Write(Utf8JsonWriter json, ResponseHead head, ResponseCollector collected, bool echo)
    {
        json.WriteStartObject();
        head.WriteTo(json);
        json.WriteStartArray("choices"u8);
        int index = 0;
        for (int prompt = 0; prompt < collected.Choices.Count; prompt++)
        {
            foreach (CollectedChoice choice in collected.Choices[prompt])
                WriteChoice(json, index++, choice, collected.Group.Generations[prompt], collected.PromptLogprobs[prompt], echo);
        }

        json.WriteEndArray();
        json.WritePropertyName("usage"u8);
        collected.Group.Usage.WriteTo(json);
        json.WriteEndObject();
    }

    private static void WriteChoice(Utf8JsonWriter json, int index, CollectedChoice choice, TextGeneration generation, PromptLogprob[]? prompt, bool echo)
    {
        json.WriteStartObject();
        json.WriteNumber("index"u8, index);
        json.WriteString("text"u8, echo ? PromptText.Of(generation) + choice.Text : choice.Text.ToString());
        json.WritePropertyName("logprobs"u8);
        if (generation.Request.Sampling.Logprobs)
        {
            List<ScoredToken> tokens = echo ? [.. (prompt ?? []).Select(p => new ScoredToken(p.Token, p.Logprob, p.Top)), .. choice.Tokens] : choice.Tokens;
            new CompletionLogprobs(generation.Model.Tokenizer, generation.Request.Sampling.TopLogprobs, generation.Request.SkipSpecialTokens).Write(json, CollectionsMarshal.AsSpan(tokens));
        }
        else
        {
            json.WriteNullValue();
        }

        json.WriteString("finish_reason"u8, FinishReasons.Text(choice.End.FinishReason));
        FinishReasons.WriteStopReason(json, choice.End.StopString, choice.End.StopToken);
        if (prompt is not null && !(echo && generation.Request.Sampling.Logprobs)) // then they are in logprobs already
        {
            json.WritePropertyName("prompt_logprobs"u8);
            TokenText.WritePrompt(json, generation.Model.Tokenizer, prompt);
        }

        json.WriteEndObject();
    }
}
