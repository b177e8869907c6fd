using System.Text.Json;
using InferenceServer.Core.Text;
using InferenceServer.Text.Templates;
using Xunit;

namespace InferenceServer.Text.Tests.Templates;

/// <summary>Published chat templates and what Jinja2 rendered from them; see the README beside that data.</summary>
internal static class TemplateData
{
    private static readonly DateTimeOffset Now = new(2024, 7, 26, 12, 34, 56, TimeSpan.Zero);

    public static string? Folder { get; } = FindFolder();

    public static IEnumerable<string> Names => Folder is null
        ? []
        : Directory.GetFiles(Path.Combine(Folder, "cases"), "*.jsonl").Select(file => Path.GetFileNameWithoutExtension(file)!).Order(StringComparer.Ordinal);

    public static void RequireFolder()
    {
        if (Folder is null) Assert.Skip("The folder ../shared/data/chat-templates is not here, so no template is compared with Jinja2.");
    }

    public static IEnumerable<TemplateCase> Cases(string name) =>
        File.ReadLines(Path.Combine(Folder!, "cases", name + ".jsonl")).Select(line => new TemplateCase(JsonDocument.Parse(line).RootElement));

    public static ChatTemplate Load(string name) =>
        ChatTemplate.Parse(File.ReadAllText(Path.Combine(Folder!, "templates", name + ".jinja")), name);

    public static ChatTemplateInput Input(JsonElement row) => new()
    {
        Messages = row.GetProperty("messages"),
        Tools = row.GetProperty("tools"),
        Variables = row.GetProperty("kwargs").EnumerateObject().ToDictionary(property => property.Name, property => property.Value),
        Now = Now,
    };

    private static string? FindFolder()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "InferenceServer.sln"))) folder = folder.Parent;
        if (folder is null) return null;
        string data = Path.GetFullPath(Path.Combine(folder.FullName, "..", "shared", "data", "chat-templates"));
        return Directory.Exists(data) ? data : null;
    }
}

/// <summary>One conversation: the expected text, or none where rendering must fail.</summary>
internal sealed class TemplateCase(JsonElement row)
{
    public JsonElement Row => row;

    public string Name => row.GetProperty("case").GetString()!;

    /// <summary>A second, unrelated engine did the same.</summary>
    public bool IsAgreed => row.GetProperty("second_engine").GetString() == "agrees";

    public string? Expected => row.TryGetProperty("expected", out JsonElement expected) ? expected.GetString() : null;

    /// <summary>What raise_exception said, where it was the template that refused.</summary>
    public string? RaisedMessage => row.TryGetProperty("error", out JsonElement error) && error.GetProperty("type").GetString() == "TemplateError"
        ? error.GetProperty("message").GetString()
        : null;
}
