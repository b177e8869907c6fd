using System.Globalization;
using System.Text;
using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Text;

namespace InferenceServer.Http.Responses;

/// <summary>Single tokens and their log-probabilities as JSON.</summary>
internal static class TokenText
{
    private const float Unlikely = -9999f; // OpenAI's word for minus infinity, which JSON has not

    /// <summary>What one token reads as in the middle of a text; broken UTF-8 becomes U+FFFD.</summary>
    public static string Of(ITokenizer tokenizer, int token) => Encoding.UTF8.GetString(tokenizer.TokenBytes(token).Span);

    public static float Finite(float logprob) => logprob >= Unlikely ? logprob : Unlikely; // NaN too

    /// <summary>OpenAI's ChatCompletionTokenLogprob.</summary>
    public static void WriteChat(Utf8JsonWriter json, ITokenizer tokenizer, int token, float logprob, TokenLogprob[]? top)
    {
        WriteStart(json, tokenizer, token, logprob);
        json.WriteStartArray("top_logprobs"u8);
        foreach (TokenLogprob candidate in top ?? [])
        {
            WriteStart(json, tokenizer, candidate.Token, candidate.Logprob);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>vLLM's prompt_logprobs: null for the first token, then an object by token id for each.</summary>
    public static void WritePrompt(Utf8JsonWriter json, ITokenizer tokenizer, PromptLogprob[] prompt)
    {
        json.WriteStartArray();
        for (int i = 0; i < prompt.Length; i++)
        {
            if (i == 0 && float.IsNaN(prompt[i].Logprob))
            {
                json.WriteNullValue();
                continue;
            }

            json.WriteStartObject();
            TokenLogprob[] top = prompt[i].Top ?? [];
            int chosen = prompt[i].Token;
            if (!Array.Exists(top, t => t.Token == chosen)) WriteEntry(json, tokenizer, chosen, prompt[i].Logprob, null);
            for (int rank = 0; rank < top.Length; rank++) WriteEntry(json, tokenizer, top[rank].Token, top[rank].Logprob, rank + 1);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteStart(Utf8JsonWriter json, ITokenizer tokenizer, int token, float logprob)
    {
        ReadOnlySpan<byte> bytes = tokenizer.TokenBytes(token).Span;
        json.WriteStartObject();
        json.WriteString("token"u8, Encoding.UTF8.GetString(bytes));
        json.WriteNumber("logprob"u8, Finite(logprob));
        json.WriteStartArray("bytes"u8);
        foreach (byte b in bytes) json.WriteNumberValue(b);
        json.WriteEndArray();
    }

    private static void WriteEntry(Utf8JsonWriter json, ITokenizer tokenizer, int token, float logprob, int? rank)
    {
        json.WriteStartObject(token.ToString(CultureInfo.InvariantCulture));
        json.WriteNumber("logprob"u8, Finite(logprob));
        if (rank is { } known) json.WriteNumber("rank"u8, known);
        else json.WriteNull("rank"u8);
        json.WriteString("decoded_token"u8, Of(tokenizer, token));
        json.WriteEndObject();
    }
}
