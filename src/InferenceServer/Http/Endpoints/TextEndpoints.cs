using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;
using InferenceServer.Hosting;
using InferenceServer.Http.Requests;
using InferenceServer.Http.Responses;
using InferenceServer.Options;

namespace InferenceServer.Http.Endpoints;

/// <summary>/tokenize and /detokenize, in vLLM's shapes. Thread-safe.</summary>
internal sealed class TextEndpoints(ModelRegistry models, HttpOptions options)
{
    public Task TokenizeAsync(HttpContext http, JsonElement body)
    {
        (Prompt? prompt, bool strings, RequestRejected? rejection) = TokenizeRequestReader.ReadTokenize(body, options.MaxMessages);
        if (prompt is null || !models.TryResolve(ModelOf(body), out ServedModel? model, out rejection)) return ErrorWriter.WriteAsync(http, rejection!);
        (int[]? ids, rejection) = GenerationPipeline.EncodePrompt(model, prompt);
        return ids is null
            ? ErrorWriter.WriteAsync(http, rejection!)
            : JsonResponse.WriteAsync(http, (ids, strings, model), static (json, answer) => WriteTokens(json, answer.ids, answer.strings, answer.model));
    }

    public Task DetokenizeAsync(HttpContext http, JsonElement body)
    {
        (int[]? tokens, RequestRejected? rejection) = TokenizeRequestReader.ReadDetokenize(body);
        if (tokens is null || !models.TryResolve(ModelOf(body), out ServedModel? model, out rejection)) return ErrorWriter.WriteAsync(http, rejection!);
        int outside = Array.FindIndex(tokens, id => id >= model.Tokenizer.VocabularySize);
        if (outside >= 0)
        {
            return ErrorWriter.WriteAsync(http, new(RejectionKind.Invalid, "invalid_value", $"tokens[{outside}]",
                $"Token id {tokens[outside]} is outside this model's vocabulary of {model.Tokenizer.VocabularySize}."));
        }

        return JsonResponse.WriteAsync(http, model.Tokenizer.Decode(tokens, skipSpecial: false), static (json, text) =>
        {
            json.WriteStartObject();
            json.WriteString("prompt"u8, text);
            json.WriteEndObject();
        });
    }

    private static void WriteTokens(Utf8JsonWriter json, int[] ids, bool strings, ServedModel model)
    {
        json.WriteStartObject();
        json.WriteNumber("count"u8, ids.Length);
        json.WriteNumber("max_model_len"u8, model.ContextLength);
        json.WriteStartArray("tokens"u8);
        foreach (int id in ids) json.WriteNumberValue(id);
        json.WriteEndArray();
        if (strings)
        {
            json.WriteStartArray("token_strs"u8);
            foreach (int id in ids) json.WriteStringValue(TokenText.Of(model.Tokenizer, id));
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static string? ModelOf(JsonElement body) =>
        body.ValueKind == JsonValueKind.Object && body.TryGetProperty("model", out JsonElement model) && model.ValueKind == JsonValueKind.String ? model.GetString() : null;
}
