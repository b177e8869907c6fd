using System.Text.Json;

namespace InferenceServer.Http.Requests;

/// <summary>
/// Fields of OpenAI's, vLLM's and llama-server's APIs that would change the answer and that this server does not have: ignoring
/// them would be a silent lie, so they are refused by name. Null, false and the listed harmless values pass; unknown fields are ignored.
/// </summary>
internal static class UnsupportedFields
{
    private static readonly (string Name, string[] Harmless)[] Everywhere =
    [
        ("guided_json", []), ("guided_regex", []), ("guided_choice", []), ("guided_grammar", []), ("structured_outputs", []),
        ("grammar", ["\"\""]), ("json_schema", []), ("use_beam_search", []), ("length_penalty", ["1", "1.0"]),
        ("truncate_prompt_tokens", []), ("logits_processors", ["[]"]), ("top_n_sigma", ["-1", "0", "-1.0"]), ("xtc_probability", ["0", "0.0"]),
        ("dry_multiplier", ["0", "0.0"]), ("mirostat", ["0"]), ("mirostat_mode", ["0"]), ("return_tokens_as_token_ids", []), ("return_token_ids", []),
    ];

    private static readonly (string Name, string[] Harmless)[] Chat =
    [
        ("audio", []), ("modalities", ["[\"text\"]"]), ("functions", ["[]"]), ("function_call", ["\"none\"", "\"auto\""]),
        ("tool_choice", ["\"none\"", "\"auto\""]), ("web_search_options", []), ("chat_template", []), ("continue_final_message", []),
        ("documents", ["[]"]), ("verbosity", ["\"medium\""]), ("echo", []), ("best_of", ["1"]), ("suffix", ["\"\""]),
    ];

    private static readonly (string Name, string[] Harmless)[] Completions = [("suffix", ["\"\""]), ("prompt_embeds", [])];

    public static void CheckChat(FieldReader fields)
    {
        Check(fields, Everywhere);
        Check(fields, Chat);
        CheckResponseFormat(fields);
    }

    public static void CheckCompletion(FieldReader fields)
    {
        Check(fields, Everywhere);
        Check(fields, Completions);
        CheckResponseFormat(fields);
    }

    private static void Check(FieldReader fields, (string Name, string[] Harmless)[] names)
    {
        foreach ((string name, string[] harmless) in names)
        {
            if (!fields.TryGet(name, out JsonElement value) || value.ValueKind == JsonValueKind.False) continue;
            if (harmless.Length > 0 && harmless.Contains(Compact(value))) continue;
            string allowed = harmless.Length == 0 ? "leave it out" : $"leave it out or send {string.Join(" or ", harmless)}";
            fields.Errors.Unsupported(name, $"'{name}' is not supported by this server; {allowed}.");
        }
    }

    private static void CheckResponseFormat(FieldReader fields)
    {
        if (!fields.TryGet("response_format", out JsonElement format)) return;
        FieldReader inner = new(format, "response_format.", fields.Errors);
        if (inner.Text("type") is not "text")
            fields.Errors.Unsupported("response_format", "Only 'response_format' {\"type\":\"text\"} is supported by this server; ask for JSON in the prompt.");
    }

    // Harmless values are short; a long one need not be compacted to know that it is not one of them.
    private static string Compact(JsonElement value)
    {
        string raw = value.GetRawText();
        return raw.Length > 64 ? "" : raw.Replace(" ", "", StringComparison.Ordinal);
    }
}
