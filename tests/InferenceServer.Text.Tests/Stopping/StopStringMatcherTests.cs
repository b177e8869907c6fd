using System.Text;
using InferenceServer.Text.Stopping;
using Xunit;

namespace InferenceServer.Text.Tests.Stopping;

public sealed class StopStringMatcherTests
{
    [Fact]
    public void A_stop_string_across_parts_is_found_and_never_emitted()
    {
        StopStringMatcher matcher = new(["\nUser:"]);
        Assert.Equal(new StopMatch("Hello", null), matcher.Feed("Hello\nU"));
        Assert.Equal(new StopMatch("", null), matcher.Feed("ser"));
        Assert.Equal(new StopMatch("", "\nUser:"), matcher.Feed(": and more"));
        Assert.Equal(new StopMatch("", "\nUser:"), matcher.Feed("ignored"));
        Assert.Equal("", matcher.Flush());
    }

    [Fact]
    public void What_was_held_comes_out_when_it_cannot_match_any_more()
    {
        StopStringMatcher matcher = new(["</s>"]);
        Assert.Equal("a", matcher.Feed("a</").Text);
        Assert.Equal("</x", matcher.Feed("x").Text);
        Assert.Equal("", matcher.Feed("</s").Text);
        Assert.Equal("</s", matcher.Flush());
    }

    [Fact]
    public void The_stop_string_itself_can_be_emitted()
    {
        StopStringMatcher matcher = new(["END", "N"], includeStopInOutput: true);
        Assert.Equal(new StopMatch("x EN", "N"), matcher.Feed("x END"));
    }

    [Fact]
    public void Without_stop_strings_everything_passes()
    {
        StopStringMatcher matcher = new([""]);
        Assert.Equal(new StopMatch("anything", null), matcher.Feed("anything"));
    }

    /// <summary>Few letters, so that partial matches and overlaps are everywhere.</summary>
    [Fact]
    public void Any_split_agrees_with_a_search_of_the_whole_text()
    {
        const int Seed = 7;
        Random random = new(Seed);
        for (int round = 0; round < 20_000; round++)
        {
            string[] stops = [.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => Letters(random, 1, 6))];
            string text = Letters(random, 0, 40);
            bool include = random.Next(2) == 0;
            StopStringMatcher matcher = new(stops, include);
            StringBuilder emitted = new();
            string? found = null;
            for (int at = 0; at < text.Length && found is null;)
            {
                int length = Math.Min(random.Next(1, 6), text.Length - at);
                StopMatch match = matcher.Feed(text.Substring(at, length));
                emitted.Append(match.Text);
                found = match.Stop;
                at += length;
            }

            emitted.Append(matcher.Flush());
            (string expected, string? stop) = Twin(text, stops, include);
            Assert.Equal($"round {round}: {expected} | {stop}", $"round {round}: {emitted} | {found}");
        }
    }

    /// <summary>The plain twin: the match that ends first, the longest of those.</summary>
    private static (string Emitted, string? Stop) Twin(string text, string[] stops, bool include)
    {
        var first = stops.Select(stop => (Stop: stop, At: text.IndexOf(stop, StringComparison.Ordinal)))
            .Where(static match => match.At >= 0)
            .OrderBy(static match => match.At + match.Stop.Length).ThenBy(static match => match.At)
            .Cast<(string Stop, int At)?>().FirstOrDefault();
        return first is not var (found, place) ? (text, null) : (text[..(include ? place + found.Length : place)], found);
    }

    private static string Letters(Random random, int least, int most) =>
        string.Concat(Enumerable.Range(0, random.Next(least, most)).Select(_ => "abc"[random.Next(3)]));
}
