using System.Text.Json;
using InferenceServer.Core.Text;
using InferenceServer.Text.Templates;
using Xunit;

namespace InferenceServer.Text.Tests.Templates;

/// <summary>Templates from the files that models come with.</summary>
public sealed class ChatTemplateFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("templates").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_jinja_file_is_a_template() => Assert.Equal("J", Render(Write("x.jinja", "J")));

    [Fact]
    public void A_config_holds_a_template() => Assert.Equal("C", Render(Write("tokenizer_config.json", "{\"chat_template\":\"C\"}")));

    [Fact]
    public void Of_named_templates_tools_choose()
    {
        string path = Write(
            "tokenizer_config.json", "{\"chat_template\":[{\"name\":\"default\",\"template\":\"D\"},{\"name\":\"tool_use\",\"template\":\"T\"}]}");
        Assert.Equal("D", Render(path));
        Assert.Equal("D", Render(path, "null"));
        Assert.Equal("T", Render(path, "[]"));
    }

    [Fact]
    public void In_a_folder_the_jinja_file_goes_first()
    {
        Write("tokenizer_config.json", "{\"chat_template\":\"C\"}");
        Assert.Equal("C", Render(_folder));
        Write("chat_template.jinja", "J");
        Assert.Equal("J", Render(_folder));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("{\"chat_template\":5}")]
    [InlineData("{\"chat_template\":[{\"name\":\"x\"}]}")]
    [InlineData("{\"chat_template\":[{\"name\":\"x\",\"template\":\"y\"}]}")]
    [InlineData("{\"chat_template\":\"\\ud800\"}")]
    [InlineData("{\"chat_template\":\"{% if %}\"}")]
    [InlineData("{\"chat_template\":")]
    public void A_bad_config_is_a_sentence_with_the_file(string json)
    {
        var error = Assert.Throws<ChatTemplateException>(() => ChatTemplate.LoadFile(Write("tokenizer_config.json", json)));
        Assert.Contains("tokenizer_config.json", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_a_sentence() =>
        Assert.Contains("nowhere.jinja", Assert.Throws<ChatTemplateException>(() => ChatTemplate.LoadFile("nowhere.jinja")).Message, StringComparison.Ordinal);

    [Fact]
    public void Render_lines_goes_on_after_a_bad_line()
    {
        ChatTemplate template = ChatTemplate.Parse("{{ bos }}{% for m in messages %}{{ m.content }}{% endfor %}{{ tools is none }}{{ strftime_now('%H') }}", "t");
        string lines = string.Join(
            "\n",
            "{\"messages\":[{\"content\":\"é<\"}],\"tools\":null,\"kwargs\":{\"bos\":\"B\"}}",
            "nonsense",
            "",
            "{\"tools\":null}",
            "{\"messages\":5}",
            "{\"messages\":[],\"kwargs\":7}",
            "{\"messages\":[],\"tools\":[1]}");
        using var output = new StringWriter();
        int failures = JsonLinesRender.Run(template, new StringReader(lines), output, new DateTimeOffset(2024, 7, 26, 12, 0, 0, TimeSpan.Zero));

        string[] rows = output.ToString().TrimEnd().Split('\n');
        Assert.Equal(4, failures);
        Assert.Equal(6, rows.Length);
        Assert.Equal("{\"text\":\"Bé<True12\"}", rows[0].TrimEnd());
        Assert.All(rows[1..5], row => Assert.Equal(JsonValueKind.String, JsonDocument.Parse(row).RootElement.GetProperty("error").ValueKind));
        Assert.Equal("{\"text\":\"False12\"}", rows[5].TrimEnd());
    }

    private static string Render(string path, string? tools = null) => ChatTemplate.LoadFile(path).Render(Inputs.Of("[]", tools)).Text;

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
