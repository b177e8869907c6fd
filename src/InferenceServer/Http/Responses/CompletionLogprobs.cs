using System.Text;
using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Text;

namespace InferenceServer.Http.Responses;

/// <summary>The logprobs object of /v1/completions: four arrays side by side, an entry a token.</summary>
/// <param name="tokenizer">Whose tokens they are.</param>
/// <param name="top">Alternatives to list; the chosen token is listed too, so that there may be one more.</param>
/// <param name="skipSpecial">Special tokens are not in the text, so that the next token begins where they do.</param>
internal sealed class CompletionLogprobs(ITokenizer tokenizer, int top, bool skipSpecial)
{
    /// <summary>Characters (code points) written so far, where the next token begins.</summary>
    private int _offset;

    public void Write(Utf8JsonWriter json, ReadOnlySpan<ScoredToken> tokens)
    {
        json.WriteStartObject();
        json.WriteStartArray("text_offset"u8);
        foreach (ScoredToken token in tokens)
        {
            json.WriteNumberValue(_offset);
            if (skipSpecial && tokenizer.IsSpecial(token.Token)) continue;
            foreach (Rune _ in TokenText.Of(tokenizer, token.Token).EnumerateRunes()) _offset++;
        }

        json.WriteEndArray();
        json.WriteStartArray("token_logprobs"u8);
        foreach (ScoredToken token in tokens)
        {
            if (float.IsNaN(token.Logprob)) json.WriteNullValue();
            else json.WriteNumberValue(TokenText.Finite(token.Logprob));
        }

        json.WriteEndArray();
        json.WriteStartArray("tokens"u8);
        foreach (ScoredToken token in tokens) json.WriteStringValue(TokenText.Of(tokenizer, token.Token));
        json.WriteEndArray();
        json.WriteStartArray("top_logprobs"u8);
        foreach (ScoredToken token in tokens) WriteTop(json, token);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void WriteTop(Utf8JsonWriter json, in ScoredToken token)
    {
        if (float.IsNaN(token.Logprob))
        {
            json.WriteNullValue();
            return;
        }

        // Two ids can read alike; an object has room for one of them, the likelier.
        Dictionary<string, float> entries = [];
        foreach (TokenLogprob candidate in (token.Top ?? []).AsSpan(0, Math.Min(top, token.Top?.Length ?? 0)))
            entries.TryAdd(TokenText.Of(tokenizer, candidate.Token), candidate.Logprob);
        entries.TryAdd(TokenText.Of(tokenizer, token.Token), token.Logprob);
        json.WriteStartObject();
        foreach ((string text, float logprob) in entries) json.WriteNumber(text, TokenText.Finite(logprob));
        json.WriteEndObject();
    }
}
