using InferenceServer.Core.Text;
using InferenceServer.Text.Templates;
using Xunit;

namespace InferenceServer.Text.Tests.Templates;

/// <summary>Damaged templates end, and end in a text or a ChatTemplateException.</summary>
public class FuzzTests
{
    private const int Seed = 20240726;

    private static readonly string[] Fragments =
    [
        "{{", "}}", "{%", "%}", "{#", "#}", "-", "'", "\"", "(", ")", "[", "]", "|", " is ", " not ", " in ", ".", ":", "::-1", "~", "*", "**", "%",
        "{% endfor %}", "{% endif %}", "{% else %}", "{% for a, b in messages %}", "| tojson", "| list", "| sort", "| map('upper')", "| join", "none",
        "loop", "[0]", "[1:]", "99999999999999999999", "1e999", "0", "''", "{}", "namespace(", "| groupby('role')", "| batch(2)", ".split()", ".items()",
        "| indent", "| round", "| int", "%s %d", "'{0:>5}'.format(", "| truncate(3)", "messages", "messages[0]", "{% break %}", "{% set x = ", "raw",
    ];

    private const string Own = "{%- for m in messages -%}{{ '<|' + m['role'] + '|>' }}{{ m.content | trim if m.content is string else m | tojson }}"
        + "{% if loop.last and add_generation_prompt %}{{ bos_token }}{% endif %}{% endfor %}{% macro f(a, b=1) %}{{ a ~ b }}{% endmacro %}{{ f(messages[0:1]) }}";

    [Fact]
    public void A_damaged_template_renders_or_refuses()
    {
        var random = new Random(Seed);
        string[] sources = [Own, .. TemplateData.Names.Select(name => File.ReadAllText(Path.Combine(TemplateData.Folder!, "templates", name + ".jinja")))];
        ChatTemplateInput input = Inputs.Of(
            "[{\"role\":\"system\",\"content\":\"Be 👩🏽‍🚀 kind\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]},"
            + "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1.5}}}]}]",
            "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"properties\":{\"a\":{\"type\":\"number\"}}}}}]",
            "{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"add_generation_prompt\":true}");
        int rendered = 0;
        int refused = 0;
        for (int i = 0; i < 4000; i++)
        {
            string source = Damage(random, sources[random.Next(sources.Length)]);
            try
            {
                Check(ChatTemplate.Parse(source, "fuzz").Render(input));
                rendered++;
            }
            catch (ChatTemplateException)
            {
                refused++;
            }
            catch (Exception error)
            {
                Assert.Fail($"Seed {Seed}, round {i}: {error}\n{source}");
            }
        }
        Assert.True(rendered > 200 && refused > 200, $"{rendered} rendered, {refused} refused: the damage is too small or too great.");
    }

    private static string Damage(Random random, string source)
    {
        for (int n = random.Next(1, 4); n > 0; n--)
        {
            int at = random.Next(source.Length + 1);
            int length = Math.Min(random.Next(1, 30), source.Length - at);
            int from = random.Next(source.Length);
            source = random.Next(4) switch
            {
                0 => source.Remove(at, length),
                1 => source.Insert(at, Fragments[random.Next(Fragments.Length)]),
                2 => source.Remove(at, length).Insert(at, Fragments[random.Next(Fragments.Length)]),
                _ => source.Insert(at, source.Substring(from, Math.Min(random.Next(1, 60), source.Length - from))),
            };
        }
        return source;
    }

    private static void Check(RenderedPrompt prompt)
    {
        int end = 0;
        foreach (TextRange range in prompt.UserText)
        {
            Assert.True(range.Start >= end && range.End > range.Start && range.End <= prompt.Text.Length, "User text is not sorted and disjoint.");
            end = range.End;
        }
    }
}
