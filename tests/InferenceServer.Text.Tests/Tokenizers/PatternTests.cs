using System.Text;
using System.Text.Json.Nodes;
using InferenceServer.Text.Tokenizers.Patterns;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>The compiled matcher beside .NET's engine, its plain twin, on texts of hard characters.</summary>
public sealed class PatternTests
{
    private static readonly string[] Alphabet =
    [
        "a", "b", "s", "S", "'", "’", "t", "L", "l", "é", "e\u0301", "ſ", "Ж", "中", "ア", "あ", "한", "ǅ", "ʰ", " ", "  ", "\n", "\r", "\t", "\u00a0", "\u3000",
        "1", "23", "456", "²", "Ⅷ", "٣", ".", ",", "!", "_", "/", "(", "$", "€", "^", "«", "—", "😀", "𝒜", "𝒷", "𐐨", "𠀀", "\u200d", "\u0000", "\uE000",
    ];

    /// <summary>Every pattern of the goldens that both engines know.</summary>
    public static TheoryData<string, string> Patterns()
    {
        TheoryData<string, string> patterns = [];
        foreach (string line in File.ReadLines(TestFiles.Golden("pipeline.jsonl")).Skip(1))
        {
            JsonNode row = JsonNode.Parse(line)!;
            string? pattern = row["pre_tokenizer"]?["pattern"]?["Regex"]?.GetValue<string>();
            // Intersections and scripts are beyond the twin; "lazy" and "group" are beyond the matcher.
            if (pattern is not null && !pattern.Contains("&&", StringComparison.Ordinal) && row["name"]!.GetValue<string>() is not ("split-lazy" or "split-group" or "split-bloom"))
                patterns.Add(row["name"]!.GetValue<string>(), pattern);
        }

        return patterns;
    }

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Matches_are_those_of_the_twin(string name, string pattern)
    {
        ClassPattern? compiled = ClassPattern.TryCompile(pattern);
        Assert.NotNull(compiled);
        RegexPattern twin = new(pattern);
        const int Seed = 99;
        Random random = new(Seed);
        for (int round = 0; round < 2_000; round++)
        {
            StringBuilder text = new();
            for (int i = random.Next(24); i >= 0; i--)
                text.Append(Alphabet[random.Next(Alphabet.Length)]);
            // The twin does not fold ſ to s; goldens cover that.
            string shown = text.Replace("ſ", "f").ToString();
            Assert.Equal($"{name} {Seed}/{round} " + Matches(twin, shown), $"{name} {Seed}/{round} " + Matches(compiled, shown));
        }
    }

    [Fact]
    public void A_possessive_repeat_gives_nothing_back()
    {
        Assert.Equal("", Matches(ClassPattern.TryCompile("a++ab")!, "aaab"));
        Assert.Equal("", Matches(new RegexPattern("a++ab"), "aaab"));
        Assert.Equal("aaab|", Matches(ClassPattern.TryCompile("a+ab")!, "aaab"));
    }

    [Fact]
    public void White_space_at_the_end_of_a_line_is_found_as_the_twins_find_it()
    {
        const int Seed = 7;
        Random random = new(Seed);
        ITextPattern pattern = TextPatterns.OfRegex(SpaceAtLineEnd.Pattern);
        Assert.IsType<SpaceAtLineEnd>(pattern);
        foreach (ITextPattern twin in new ITextPattern[] { ClassPattern.TryCompile(SpaceAtLineEnd.Pattern)!, new RegexPattern(SpaceAtLineEnd.Pattern) })
            for (int round = 0; round < 2_000; round++)
            {
                string text = string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => new[] { " ", "\n", "\r", "\t", "\u3000", "a", "😀" }[random.Next(7)]));
                Assert.Equal($"{Seed}/{round} " + Matches(twin, text), $"{Seed}/{round} " + Matches(pattern, text));
            }
    }

    private static string Matches(ITextPattern pattern, string text)
    {
        List<(int Start, int End)> matches = [];
        pattern.FindAll(text, matches);
        return string.Concat(matches.Select(match => text[match.Start..match.End] + "|"));
    }
}
