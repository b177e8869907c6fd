using System.Text.Encodings.Web;
using System.Text.Json;
using InferenceServer.Core.Text;

namespace InferenceServer.Text.Templates;

/// <summary>
/// The <c>render</c> command: JSON lines <c>{"messages","tools","kwargs"}</c> in, <c>{"text"}</c> or <c>{"error"}</c> out, one line each.
/// A bad line is answered with its error and the next one is read.
/// </summary>
public static class JsonLinesRender
{
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Renders every line of <paramref name="input"/>; blank lines are skipped. Returns how many lines failed.</summary>
    public static int Run(IChatTemplate template, TextReader input, TextWriter output, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(template);
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(output);
        int failures = 0;
        while (input.ReadLine() is { } line)
        {
            if (string.IsNullOrWhiteSpace(line)) continue;
            (string field, string value) = RenderLine(template, line, now);
            if (field == "error") failures++;
            output.WriteLine(ToJson(field, value));
        }
        output.Flush();
        return failures;
    }

    private static (string Field, string Value) RenderLine(IChatTemplate template, string line, DateTimeOffset now)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return ("text", template.Render(ReadInput(document.RootElement, now)).Text);
        }
        catch (JsonException error)
        {
            return ("error", $"The line is not valid JSON: {error.Message}");
        }
        catch (ChatTemplateException error)
        {
            return ("error", error.Message);
        }
    }

    private static ChatTemplateInput ReadInput(JsonElement row, DateTimeOffset now)
    {
        if (row.ValueKind != JsonValueKind.Object || !row.TryGetProperty("messages", out JsonElement messages))
            throw new ChatTemplateException("The line must be a JSON object with the field 'messages'.");
        var variables = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        if (row.TryGetProperty("kwargs", out JsonElement kwargs) && kwargs.ValueKind != JsonValueKind.Null)
        {
            if (kwargs.ValueKind != JsonValueKind.Object)
                throw new ChatTemplateException("The field 'kwargs' must be a JSON object of template variables.");
            foreach (JsonProperty variable in kwargs.EnumerateObject()) variables[variable.Name] = variable.Value;
        }
        JsonElement? tools = row.TryGetProperty("tools", out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;
        return new ChatTemplateInput { Messages = messages, Tools = tools, Variables = variables, Now = now };
    }

    private static string ToJson(string field, string value)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, Readable))
        {
            writer.WriteStartObject();
            writer.WriteString(field, value);
            writer.WriteEndObject();
        }
        return System.Text.Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }
}
