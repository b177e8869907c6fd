using System.Text.Json;
using InferenceServer.Core.Requests;
using InferenceServer.Generation;

namespace InferenceServer.Http.Requests;

/// <summary>The body of POST /v1/chat/completions.</summary>
internal static class ChatRequestReader
{
    // The server and the model's files say what these are; a caller's value would forge a conversation's frame.
    private static readonly string[] ReservedVariables = ["messages", "tools", "bos_token", "eos_token", "add_generation_prompt"];

    /// <summary>Exactly one of the results is set.</summary>
    public static (ChatRequest? Request, RequestRejected? Rejection) Read(JsonElement body, RequestContext context)
    {
        FieldErrors errors = new();
        FieldReader fields = new(body, "", errors);
        UnsupportedFields.CheckChat(fields);
        StreamChoice stream = StreamChoice.Read(fields);
        SamplingOverrides sampling = ReadLogprobs(fields, SamplingReader.Read(fields, context.Tokenizer));
        if (sampling.PromptLogprobs is not null && stream.Stream) errors.Unsupported("prompt_logprobs", "'prompt_logprobs' is not available with 'stream': true.");
        // Where both are given, the newer name wins, as with OpenAI's reasoning models.
        int? maxTokens = fields.Integer("max_completion_tokens", 1, int.MaxValue) ?? fields.Integer("max_tokens", 1, int.MaxValue);
        Prompt? prompt = ReadPrompt(fields, context.Options.MaxMessages);
        if (prompt is null) return (null, errors.First);
        GenerationRequest generation = GenerationReader.Read(fields, context, prompt, sampling, maxTokens);
        return errors.First is { } rejection ? (null, rejection) : (new ChatRequest(generation, stream), null);
    }

    /// <summary>Messages, tools and template variables; /tokenize reads them too. Null when something is wrong; the errors say what.</summary>
    public static Prompt.Chat? ReadPrompt(FieldReader fields, int maxMessages)
    {
        JsonElement? messages = MessageReader.Read(fields, maxMessages);
        JsonElement? tools = ReadTools(fields);
        IReadOnlyDictionary<string, JsonElement>? variables = ReadVariables(fields);
        bool generate = fields.Flag("add_generation_prompt") ?? true;
        return messages is { } read && fields.Errors.First is null ? new Prompt.Chat(read, tools, variables) { AddGenerationPrompt = generate } : null;
    }

    private static SamplingOverrides ReadLogprobs(FieldReader fields, SamplingOverrides sampling)
    {
        bool logprobs = fields.Flag("logprobs") ?? false;
        int? top = fields.Integer("top_logprobs", 0, SamplingParameters.MaxTopLogprobs);
        if (top > 0 && !logprobs) fields.Errors.Invalid("top_logprobs", "'top_logprobs' is allowed only with 'logprobs': true.");
        return sampling with { Logprobs = logprobs, TopLogprobs = top ?? 0 };
    }

    private static JsonElement? ReadTools(FieldReader fields)
    {
        if (!fields.TryArray("tools", 1024, out JsonElement tools) || tools.GetArrayLength() == 0) return null;
        int i = 0;
        foreach (JsonElement tool in tools.EnumerateArray())
        {
            FieldReader entry = new(tool, $"tools[{i++}].", fields.Errors);
            if (fields.Errors.First is null && entry.Text("type") is not "function")
                fields.Errors.Unsupported(entry.Path("type"), $"'{entry.Path("type")}' must be \"function\".");
        }

        bool none = fields.TryGet("tool_choice", out JsonElement choice) && choice.ValueKind == JsonValueKind.String && choice.ValueEquals("none"u8);
        return none ? null : tools;
    }

    private static Dictionary<string, JsonElement>? ReadVariables(FieldReader fields)
    {
        Dictionary<string, JsonElement> variables = [];
        if (fields.Text("reasoning_effort") is not null && fields.TryGet("reasoning_effort", out JsonElement effort)) variables["reasoning_effort"] = effort;
        if (fields.TryGet("chat_template_kwargs", out JsonElement element))
        {
            FieldReader inner = new(element, "chat_template_kwargs.", fields.Errors);
            if (fields.Errors.First is not null) return null;
            foreach (JsonProperty variable in element.EnumerateObject()) variables[variable.Name] = variable.Value;
            foreach (string reserved in ReservedVariables)
            {
                if (variables.ContainsKey(reserved)) fields.Errors.Invalid(inner.Path(reserved), $"'{inner.Path(reserved)}' cannot be set by a request.");
            }
        }

        return variables.Count == 0 ? null : variables;
    }
}
