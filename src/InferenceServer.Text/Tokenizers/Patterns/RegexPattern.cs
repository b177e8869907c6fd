using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace InferenceServer.Text.Tokenizers.Patterns;

/// <summary>
/// The plain twin of <see cref="ClassPattern"/> and the way out for patterns that it does not know: .NET's engine. That engine sees
/// UTF-16 units, so a character beyond the first plane is shown to it as one character of the same category.
/// </summary>
internal sealed class RegexPattern : ITextPattern
{
    // For each UnicodeCategory a character of the first plane that patterns do not name: the last one.
    private static readonly char[] StandIns = LastOfEachCategory();

    // In Oniguruma ^ and $ are about lines.
    private const RegexOptions Options = RegexOptions.CultureInvariant | RegexOptions.Multiline;

    private readonly Regex _regex;

    /// <exception cref="ArgumentException">Not a pattern that .NET understands.</exception>
    public RegexPattern(string pattern)
    {
        string translated = DotNetPattern.Of(pattern);
        try
        {
            // Linear by construction, but without look-ahead and atomic groups.
            _regex = new Regex(translated, RegexOptions.NonBacktracking | Options);
        }
        catch (NotSupportedException)
        {
            _regex = new Regex(translated, RegexOptions.Compiled | Options);
        }
    }

    public void FindAll(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        (string shown, int[]? places) = Show(text);
        int matchedTo = -1;
        foreach (ValueMatch match in _regex.EnumerateMatches(shown))
        {
            (int start, int end) = (match.Index, match.Index + match.Length);
            if (start == end && start == matchedTo)
                continue;
            matches.Add(places is null ? (start, end) : (places[start], places[end]));
            matchedTo = end;
        }
    }

    /// <summary>The text as the engine sees it, and for each of its chars (and the end) the place in the real text; null if they are the same.</summary>
    private static (string Shown, int[]? Places) Show(ReadOnlySpan<char> text)
    {
        if (!text.ContainsAnyInRange('\uD800', '\uDFFF'))
            return (text.ToString(), null);

        StringBuilder shown = new(text.Length);
        List<int> places = new(text.Length + 1);
        for (int at = 0; at < text.Length;)
        {
            places.Add(at);
            Rune.DecodeFromUtf16(text[at..], out Rune rune, out int consumed);
            shown.Append(rune.IsBmp ? text[at] : StandIns[(int)CharUnicodeInfo.GetUnicodeCategory(rune.Value)]);
            at += consumed;
        }

        places.Add(text.Length);
        return (shown.ToString(), [.. places]);
    }

    private static char[] LastOfEachCategory()
    {
        char[] last = new char[30];
        for (int c = 0; c <= 0xFFFF; c++)
            if (!char.IsSurrogate((char)c))
                last[(int)CharUnicodeInfo.GetUnicodeCategory(c)] = (char)c;
        return last;
    }
}
