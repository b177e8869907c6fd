using System.Diagnostics;
using InferenceServer.Core.Text;
using InferenceServer.Text.Templates;
using Xunit;

namespace InferenceServer.Text.Tests.Templates;

/// <summary>A hostile template costs a sentence: no crash, no minute, no gigabyte.</summary>
public class LimitsTests
{
    public static TheoryData<string, string> Sources => new()
    {
        { "brackets", "{{ " + new string('(', 100_000) + "1" + new string(')', 100_000) + " }}" },
        { "unclosed brackets", "{{ " + new string('[', 100_000) },
        { "dicts", "{{ " + string.Concat(Enumerable.Repeat("{'a':", 100_000)) + " }}" },
        { "nots", "{{ " + string.Concat(Enumerable.Repeat("not ", 100_000)) + "1 }}" },
        { "signs", "{{ " + new string('-', 100_000) + "1 }}" },
        { "conditions", "{{ " + string.Concat(Enumerable.Repeat("1 if 1 else ", 100_000)) + "1 }}" },
        { "targets", "{% set " + new string('(', 100_000) + "a = 1 %}" },
        { "blocks", string.Concat(Enumerable.Repeat("{% if true %}", 100_000)) },
        { "sums", "{{ x" + string.Concat(Enumerable.Repeat("+1", 200_000)) + " }}" },
        { "members", "{{ x" + string.Concat(Enumerable.Repeat("[0]", 200_000)) + " }}" },
        { "ors", "{{ 0" + string.Concat(Enumerable.Repeat(" or 0", 200_000)) + " }}" },
        { "endless macro", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}" },
        { "endless caller", "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}" },
        { "endless loop", "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}" },
        { "loops", "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}" },
        { "range", "{{ range(100000000000) | list }}" },
        { "repeated text", "{{ 'abcdefgh' * 100000000 }}" },
        { "repeated list", "{{ [1] * 1000000000 }}" },
        { "doubled text", "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}" },
        { "doubled list", "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}" },
        { "deep list", "{% set ns = namespace(x=[1]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}" },
        { "deep generator", "{% set ns = namespace(x=[1]) %}{% for i in range(99999) %}{% set ns.x = ns.x | map('string') %}{% endfor %}{{ ns.x | list }}" },
        { "ring", "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}" },
        { "power", "{{ 9 ** 99999999 }}" },
        { "grown integer", "{% set ns = namespace(x=3) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}" },
        { "wide format", "{{ '%2000000000d' % 1 }}" },
        { "wide padding", "{{ 'a'.center(2000000000) }}" },
        { "wide indent", "{{ 'a\nb' | indent(2000000000) }}" },
        { "output", "{% for i in range(99999) %}{{ 'abcdefghijklmnopqrstuvwxyz' * 1000 }}{% endfor %}" },
        { "replace", "{% set x = 'a' * 100000 %}{{ x | replace('a', x) }}" },
        { "join", "{% set x = 'a' * 100000 %}{{ x | list | join(x) }}" },
    };

    [Theory]
    [MemberData(nameof(Sources))]
    public void Ends_with_a_sentence(string what, string source)
    {
        long started = Stopwatch.GetTimestamp();
        var error = Assert.Throws<ChatTemplateException>(
            () => ChatTemplate.Parse(source, what).Render(Inputs.Of("[]", variables: "{\"x\":1}")));
        Assert.InRange(error.Message.Length, 20, 400);
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(20), $"{what} took {Stopwatch.GetElapsedTime(started)}.");
    }

    [Fact]
    public void A_long_conversation_stays_within_the_limits()
    {
        string message = "{\"role\":\"user\",\"content\":\"" + new string('x', 2000) + "\"},{\"role\":\"assistant\",\"content\":\"ok\"}";
        string messages = "[" + string.Join(",", Enumerable.Repeat(message, 1000)) + "]";
        ChatTemplate template = ChatTemplate.Parse(
            "{% for m in messages %}{% if loop.last and m.role == 'user' %}!{% endif %}<{{ m['role'] }}>{{ m['content'] | trim }}{{ eos_token }}{% endfor %}", "t");
        Assert.True(template.Render(Inputs.Of(messages, variables: "{\"eos_token\":\"</s>\"}")).Text.Length > 2_000_000);
    }
}
