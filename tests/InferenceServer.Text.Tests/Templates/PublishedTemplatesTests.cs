using InferenceServer.Core.Text;
using Xunit;

namespace InferenceServer.Text.Tests.Templates;

/// <summary>Every published template over every conversation, byte for byte as Jinja2 renders it.</summary>
public class PublishedTemplatesTests
{
    public static TheoryData<string> Names => [.. TemplateData.Names.DefaultIfEmpty("(no data)")];

    [Theory]
    [MemberData(nameof(Names))]
    public void Renders_as_Jinja2_does(string name)
    {
        TemplateData.RequireFolder();
        var failures = new List<string>();
        foreach (TemplateCase row in TemplateData.Cases(name))
        {
            if (Compare(name, row) is { } difference) failures.Add($"{(row.IsAgreed ? "" : "(not agreed) ")}{row.Name}: {difference}");
        }
        Assert.True(failures.Count == 0, $"{name}: {failures.Count} cases differ:\n{string.Join("\n", failures)}");
    }

    private static string? Compare(string name, TemplateCase row)
    {
        string text;
        try
        {
            text = TemplateData.Load(name).Render(TemplateData.Input(row.Row)).Text;
        }
        catch (ChatTemplateException error)
        {
            if (row.Expected is not null) return $"failed: {error.Message}";
            return row.RaisedMessage is { } raised && !error.Message.Contains(raised, StringComparison.Ordinal)
                ? $"said '{error.Message}' instead of '{raised}'"
                : null;
        }
        if (row.Expected is null) return $"rendered instead of failing: {text[..Math.Min(200, text.Length)]}";
        if (text == row.Expected) return null;
        int at = text.AsSpan().CommonPrefixLength(row.Expected);
        return $"at {at}: …{Around(text, at)}… instead of …{Around(row.Expected, at)}…";
    }

    private static string Around(string text, int at) =>
        text[Math.Max(0, at - 30)..Math.Min(text.Length, at + 50)].Replace("\n", "\\n", StringComparison.Ordinal);
}
