using System.Text.Json;
using InferenceServer.Core.Text;
using InferenceServer.Text.Templates;
using Xunit;

namespace InferenceServer.Text.Tests.Templates;

/// <summary>
/// Small templates over one set of variables, with what Jinja2 3.1.6 in Hugging Face's set-up rendered from them, or that it failed.
/// semantics.jsonl: the variables in the first line, then a template a line.
/// </summary>
public class SemanticsTests
{
    [Fact]
    public void Every_template_renders_or_fails_as_in_Jinja2()
    {
        string[] lines = File.ReadAllLines(RepositoryFile("tests/InferenceServer.Text.Tests/Templates/semantics.jsonl"));
        JsonElement variables = JsonDocument.Parse(lines[0]).RootElement;
        var failures = new List<string>();
        foreach (string line in lines.Skip(1))
        {
            JsonElement row = JsonDocument.Parse(line).RootElement;
            string source = row.GetProperty("source").GetString()!;
            string? expected = row.TryGetProperty("expected", out JsonElement text) ? text.GetString() : null;
            (string? rendered, string error) = Render(source, variables);
            if (rendered != expected) failures.Add($"{source} gave {rendered ?? error} instead of {expected ?? "an error"}");
        }
        Assert.True(lines.Length > 700, "semantics.jsonl lost its rows.");
        Assert.True(failures.Count == 0, string.Join("\n", failures));
    }

    [Fact]
    public void An_error_names_the_template_and_the_line()
    {
        ChatTemplate template = ChatTemplate.Parse("a\n{% if true %}\n{{ messages.x.y }}{% endif %}", "mine");
        var error = Assert.Throws<ChatTemplateException>(() => template.Render(Inputs.Of("[]")));
        Assert.Contains("'mine', line 3", error.Message, StringComparison.Ordinal);

        var syntax = Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse("a\nb\n{% for %}", "mine"));
        Assert.Contains("'mine' cannot be parsed: line 3:", syntax.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_template_raises_is_told_word_for_word()
    {
        ChatTemplate template = ChatTemplate.Parse("{{ raise_exception('Roles must \"alternate\"!') }}", "t");
        var error = Assert.Throws<ChatTemplateException>(() => template.Render(Inputs.Of("[]")));
        Assert.StartsWith("Roles must \"alternate\"!", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[1, 1.0, 1e2, 123456789012345678901234567890, -0.0]", "[1, 1.0, 100.0, 123456789012345678901234567890, -0.0]")]
    [InlineData("[{\"a\": 1, \"a\": 2}]", "[{'a': 2}]")]
    [InlineData("[null, true, [], {}]", "[None, True, [], {}]")]
    public void Json_keeps_its_types(string messages, string expected) =>
        Assert.Equal(expected, ChatTemplate.Parse("{{ messages }}", "t").Render(Inputs.Of(messages)).Text);

    [Fact]
    public void Half_a_surrogate_pair_is_an_error_and_not_a_crash()
    {
        ChatTemplate template = ChatTemplate.Parse("{{ messages }}", "t");
        Assert.Throws<ChatTemplateException>(() => template.Render(Inputs.Of("[\"\\ud800\"]")));
        Assert.Throws<ChatTemplateException>(() => template.Render(Inputs.Of("[{\"\\ud800\":1}]")));
    }

    [Fact]
    public void One_template_renders_on_many_threads()
    {
        ChatTemplate template = ChatTemplate.Parse(
            "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + m %}{% endfor %}{{ ns.n }}", "t");
        Parallel.For(0, 500, i => Assert.Equal((i * 3).ToString(), template.Render(Inputs.Of($"[{i},{i},{i}]")).Text));
    }

    private static (string? Text, string Error) Render(string source, JsonElement variables)
    {
        try
        {
            return (ChatTemplate.Parse(source, "t").Render(TemplateData.Input(variables)).Text, "");
        }
        catch (ChatTemplateException error)
        {
            return (null, error.Message);
        }
    }

    private static string RepositoryFile(string path)
    {
        DirectoryInfo folder = new(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "InferenceServer.sln"))) folder = folder.Parent!;
        return Path.Combine(folder.FullName, path);
    }
}
