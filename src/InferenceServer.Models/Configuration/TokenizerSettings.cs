using InferenceServer.Models.Files;

namespace InferenceServer.Models.Configuration;

/// <summary>What the front hall needs of a folder's tokenizer files besides tokenizer.json itself.</summary>
public sealed record TokenizerSettings
{
    public const string FileName = "tokenizer_config.json";
    public const string TemplateFileName = "chat_template.jinja";

    /// <summary>The Jinja text of the chat template; null if the model has none (a base model).</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>The template variable bos_token.</summary>
    public string? BosText { get; init; }

    /// <summary>The template variable eos_token.</summary>
    public string? EosText { get; init; }

    /// <exception cref="ModelLoadException">A file is broken.</exception>
    internal static TokenizerSettings Read(string folder)
    {
        JsonFields? json = JsonFields.ReadFileIfExists(Path.Combine(folder, FileName));
        return new TokenizerSettings
        {
            // transformers lets the separate file win.
            ChatTemplate = ReadTemplateFile(Path.Combine(folder, TemplateFileName)) ?? (json is { } fields ? TemplateOf(fields) : null),
            BosText = json is { } withBos ? SpecialText(withBos, "bos_token") : null,
            EosText = json is { } withEos ? SpecialText(withEos, "eos_token") : null,
        };
    }

    private static string? ReadTemplateFile(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllText(path) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelLoadException($"'{path}' cannot be read: {e.Message}", e);
        }
    }

    /// <summary>One text, or a list of {name, template} of which "default" is meant.</summary>
    private static string? TemplateOf(JsonFields json)
    {
        if (!json.Has("chat_template")) return null;
        if (json.Element.GetProperty("chat_template").ValueKind != System.Text.Json.JsonValueKind.Array) return json.Text("chat_template");
        IReadOnlyList<JsonFields> named = json.Objects("chat_template");
        foreach (JsonFields template in named)
            if (template.Text("name") == "default") return template.Text("template");
        throw json.Wrong("chat_template", "a text, or a list with one named \"default\"");
    }

    /// <summary>A special token is written as a text or as {content, …}.</summary>
    private static string? SpecialText(JsonFields json, string name)
    {
        if (!json.Has(name)) return null;
        return json.Element.GetProperty(name).ValueKind == System.Text.Json.JsonValueKind.Object
            ? json.Object(name).Text("content")
            : json.Text(name);
    }
}
