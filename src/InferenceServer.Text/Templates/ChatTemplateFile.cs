using System.Text.Json;
using InferenceServer.Core.Text;

namespace InferenceServer.Text.Templates;

/// <summary>Finds the template in the files that models come with.</summary>
internal static class ChatTemplateFile
{
    private const string TemplateFileName = "chat_template.jinja";
    private const string ConfigFileName = "tokenizer_config.json";

    // The longest published template is 20 KB; a config with added tokens reaches 10 MB.
    private const long MaxFileBytes = 64L << 20;

    public static IChatTemplate Load(string path)
    {
        if (Directory.Exists(path)) path = FindInFolder(path);
        if (!File.Exists(path))
            throw new ChatTemplateException($"There is no chat template file '{path}'. Give a .jinja file, a {ConfigFileName} or a model folder.");
        if (new FileInfo(path).Length > MaxFileBytes)
            throw new ChatTemplateException($"'{path}' is larger than {MaxFileBytes >> 20} MiB and so is no chat template.");
        string text = File.ReadAllText(path);
        return Path.GetExtension(path).Equals(".json", StringComparison.OrdinalIgnoreCase)
            ? FromConfig(text, path)
            : ChatTemplate.Parse(text, path);
    }

    private static string FindInFolder(string folder)
    {
        string template = Path.Combine(folder, TemplateFileName);
        return File.Exists(template) ? template : Path.Combine(folder, ConfigFileName);
    }

    private static IChatTemplate FromConfig(string json, string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            if (document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("chat_template", out JsonElement template))
            {
                if (template.ValueKind == JsonValueKind.String) return ChatTemplate.Parse(template.GetString()!, path);
                if (template.ValueKind == JsonValueKind.Array) return FromList(template, path);
            }
        }
        catch (JsonException error)
        {
            throw new ChatTemplateException($"'{path}' is not valid JSON: {error.Message}", error);
        }
        catch (InvalidOperationException error)
        {
            throw new ChatTemplateException($"The chat_template of '{path}' is not valid Unicode.", error);
        }
        throw new ChatTemplateException($"'{path}' has no chat_template that is a string or a list of named templates.");
    }

    private static NamedChatTemplates FromList(JsonElement list, string path)
    {
        var templates = new Dictionary<string, IChatTemplate>(StringComparer.Ordinal);
        foreach (JsonElement entry in list.EnumerateArray())
        {
            if (entry.ValueKind != JsonValueKind.Object
                || !entry.TryGetProperty("name", out JsonElement name) || name.ValueKind != JsonValueKind.String
                || !entry.TryGetProperty("template", out JsonElement source) || source.ValueKind != JsonValueKind.String)
                throw new ChatTemplateException($"An entry of the chat_template list of '{path}' is no {{\"name\", \"template\"}} pair of strings.");
            templates[name.GetString()!] = ChatTemplate.Parse(source.GetString()!, $"{path}#{name.GetString()}");
        }
        if (!templates.TryGetValue("default", out IChatTemplate? standard))
            throw new ChatTemplateException($"The chat_template list of '{path}' has no template named 'default'.");
        return new NamedChatTemplates(standard, templates.GetValueOrDefault("tool_use"));
    }
}
