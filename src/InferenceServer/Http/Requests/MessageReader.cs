using System.Buffers;
using System.Text;
using System.Text.Json;

namespace InferenceServer.Http.Requests;

/// <summary>
/// OpenAI's messages, checked and brought into the one shape that chat templates know: string contents, no "developer" role,
/// arguments of tool calls as objects. Only the fields named here reach the template.
/// </summary>
internal static class MessageReader
{
    private static readonly string[] Roles = ["system", "developer", "user", "assistant", "tool"];

    /// <summary>Null when something is wrong; the errors say what.</summary>
    public static JsonElement? Read(FieldReader fields, int maxMessages)
    {
        if (!fields.TryArray("messages", maxMessages, out JsonElement messages))
        {
            fields.Errors.Invalid("messages", "'messages' is missing; an array of at least one message is expected.");
            return null;
        }

        if (messages.GetArrayLength() == 0) fields.Errors.Invalid("messages", "'messages' is empty; at least one message is expected.");
        ArrayBufferWriter<byte> buffer = new(1024);
        using (Utf8JsonWriter json = new(buffer, ErrorWriter.Json))
        {
            json.WriteStartArray();
            int i = 0;
            foreach (JsonElement message in messages.EnumerateArray())
            {
                WriteMessage(json, new FieldReader(message, $"messages[{i++}].", fields.Errors));
                if (fields.Errors.First is not null) return null;
            }

            json.WriteEndArray();
        }

        using JsonDocument document = JsonDocument.Parse(buffer.WrittenMemory);
        return document.RootElement.Clone();
    }

    private static void WriteMessage(Utf8JsonWriter json, FieldReader message)
    {
        string? role = message.Text("role");
        if (role is null || !Roles.Contains(role))
            message.Errors.Invalid(message.Path("role"), $"'{message.Path("role")}' must be one of {string.Join(", ", Roles)}.");
        json.WriteStartObject();
        json.WriteString("role"u8, role == "developer" ? "system" : role);
        bool calls = role == "assistant" && message.TryGet("tool_calls", out _);
        WriteContent(json, message, mayBeAbsent: role == "assistant");
        if (message.Text("name") is { } name) json.WriteString("name"u8, name);
        if (message.Text("tool_call_id") is { } id) json.WriteString("tool_call_id"u8, id);
        if (message.Text("reasoning_content") is { } reasoning) json.WriteString("reasoning_content"u8, reasoning);
        if (calls) WriteToolCalls(json, message);
        json.WriteEndObject();
    }

    private static void WriteContent(Utf8JsonWriter json, FieldReader message, bool mayBeAbsent)
    {
        json.WritePropertyName("content"u8);
        if (!message.TryGet("content", out JsonElement content))
        {
            bool refusal = mayBeAbsent && message.Text("refusal") is not null;
            if (!mayBeAbsent || (!refusal && !message.TryGet("tool_calls", out _) && !message.TryGet("reasoning_content", out _)))
                message.Errors.Invalid(message.Path("content"), $"'{message.Path("content")}' is missing; a string or an array of text parts is expected.");
            json.WriteNullValue();
            return;
        }

        switch (content.ValueKind)
        {
            case JsonValueKind.String:
                json.WriteStringValue(content.GetString());
                break;
            case JsonValueKind.Array:
                json.WriteStringValue(JoinParts(message, content));
                break;
            default:
                message.Wrong("content", "a string or an array of text parts", content);
                json.WriteNullValue();
                break;
        }
    }

    private static string JoinParts(FieldReader message, JsonElement parts)
    {
        StringBuilder text = new();
        int i = 0;
        foreach (JsonElement part in parts.EnumerateArray())
        {
            FieldReader fields = new(part, message.Path($"content[{i++}]."), message.Errors);
            string? type = fields.Text("type");
            if (type is "text" or "refusal" && fields.Text(type) is { } piece)
                text.Append(piece);
            else if (type is "text" or "refusal")
                fields.Errors.Invalid(fields.Path(type), $"'{fields.Path(type)}' is missing; a string is expected.");
            else
                fields.Errors.Unsupported(fields.Path("type"), $"'{fields.Path("type")}' must be \"text\": this model reads text alone.");
            if (message.Errors.First is not null) break;
        }

        return text.ToString();
    }

    private static void WriteToolCalls(Utf8JsonWriter json, FieldReader message)
    {
        if (!message.TryArray("tool_calls", 1024, out JsonElement calls)) return;
        json.WriteStartArray("tool_calls"u8);
        int i = 0;
        foreach (JsonElement call in calls.EnumerateArray())
        {
            FieldReader fields = new(call, message.Path($"tool_calls[{i++}]."), message.Errors);
            fields.TryGet("function", out JsonElement element);
            FieldReader function = new(element, fields.Path("function."), message.Errors);
            if (function.Text("name") is not { } name)
            {
                message.Errors.Invalid(function.Path("name"), $"'{function.Path("name")}' is missing; a string is expected.");
                break;
            }

            json.WriteStartObject();
            if (fields.Text("id") is { } id) json.WriteString("id"u8, id);
            json.WriteString("type"u8, "function");
            json.WriteStartObject("function"u8);
            json.WriteString("name"u8, name);
            json.WritePropertyName("arguments"u8);
            WriteArguments(json, function);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>OpenAI's arguments are JSON in a string; templates expect the object. What is no object stays as it came.</summary>
    private static void WriteArguments(Utf8JsonWriter json, FieldReader function)
    {
        if (!function.TryGet("arguments", out JsonElement arguments))
        {
            json.WriteStartObject();
            json.WriteEndObject();
            return;
        }

        if (arguments.ValueKind == JsonValueKind.String && RequestBody.Parse(Encoding.UTF8.GetBytes(arguments.GetString()!)).Body is { } parsed)
        {
            using (parsed)
            {
                if (parsed.RootElement.ValueKind == JsonValueKind.Object)
                {
                    parsed.RootElement.WriteTo(json);
                    return;
                }
            }
        }

        arguments.WriteTo(json);
    }
}
