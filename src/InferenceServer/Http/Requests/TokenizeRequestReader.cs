using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;

namespace InferenceServer.Http.Requests;

/// <summary>The bodies of POST /tokenize and POST /detokenize, in vLLM's shape.</summary>
internal static class TokenizeRequestReader
{
    private const int MaxTokens = 1 << 24; // the body limit is reached first

    /// <summary>Exactly one of prompt and rejection is set.</summary>
    public static (Prompt? Prompt, bool Strings, RequestRejected? Rejection) ReadTokenize(JsonElement body, int maxMessages)
    {
        FieldErrors errors = new();
        FieldReader fields = new(body, "", errors);
        bool strings = fields.Flag("return_token_strs") ?? false;
        Prompt? prompt = fields.TryGet("messages", out _) ? ReadChat(fields, maxMessages) : ReadText(fields);
        return errors.First is { } rejection ? (null, false, rejection) : (prompt, strings, null);
    }

    /// <summary>Exactly one of the results is set.</summary>
    public static (int[]? Tokens, RequestRejected? Rejection) ReadDetokenize(JsonElement body)
    {
        FieldErrors errors = new();
        FieldReader fields = new(body, "", errors);
        int[]? tokens = fields.Integers("tokens", MaxTokens);
        if (tokens is null) errors.Invalid("tokens", "'tokens' is missing; an array of token ids is expected.");
        return errors.First is { } rejection ? (null, rejection) : (tokens, null);
    }

    private static Prompt.Chat? ReadChat(FieldReader fields, int maxMessages)
    {
        if (fields.TryGet("prompt", out _)) fields.Errors.Invalid("prompt", "Send either 'prompt' or 'messages', not both.");
        return ChatRequestReader.ReadPrompt(fields, maxMessages);
    }

    private static Prompt.FromText ReadText(FieldReader fields)
    {
        string? text = fields.Text("prompt");
        if (text is null) fields.Errors.Invalid("prompt", "Either 'prompt' (a string) or 'messages' is expected.");
        return new Prompt.FromText(text ?? "") { AddSpecialTokens = fields.Flag("add_special_tokens") ?? true, ParseSpecialTokens = fields.Flag("parse_special") ?? false };
    }
}
