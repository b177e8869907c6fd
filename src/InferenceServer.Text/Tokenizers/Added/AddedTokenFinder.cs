using System.Buffers;
using System.Text;
using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers.Patterns;

namespace InferenceServer.Text.Tokenizers.Added;

/// <summary>
/// Finds added tokens in a text: leftmost first, the longest of those that begin at one place. Immutable and thread-safe.
/// Time is the text's length times the longest token's at worst, and one vectorised scan where no token begins.
/// </summary>
internal sealed class AddedTokenFinder
{
    private readonly Dictionary<char, (string Content, AddedToken Token)[]> _byFirst; // longest first
    private readonly SearchValues<char> _firsts;

    /// <param name="tokens">What to look for, and the form it has in the text.</param>
    public AddedTokenFinder(IEnumerable<(string Content, AddedToken Token)> tokens)
    {
        _byFirst = tokens.Where(static token => token.Content.Length > 0)
            .GroupBy(static token => token.Content[0])
            .ToDictionary(static group => group.Key, static group => group.OrderByDescending(static token => token.Content.Length).ToArray());
        _firsts = SearchValues.Create([.. _byFirst.Keys]);
    }

    public bool IsEmpty => _byFirst.Count == 0;

    /// <summary>The first token at or behind <paramref name="from"/>, with the white space that it swallows.</summary>
    /// <param name="text">The whole text: what stands before <paramref name="from"/> decides about single words.</param>
    /// <param name="from">Where to begin; white space before it is not swallowed.</param>
    /// <param name="options">Which tokens are recognised, and where.</param>
    /// <param name="literalShift">Added to a place in <paramref name="text"/>, gives the place in the text that the literal ranges are about.</param>
    /// <param name="match">The token found.</param>
    public bool TryFind(ReadOnlySpan<char> text, int from, EncodeOptions options, int literalShift, out AddedTokenMatch match)
    {
        for (int at = from; at < text.Length; at++)
        {
            int step = text[at..].IndexOfAny(_firsts);
            if (step < 0)
                break;
            at += step;
            if (LongestAt(text, at, options, literalShift) is not var (content, token))
                continue;

            int start = at;
            int end = at + content.Length;
            if (token.LeftStrip)
                while (start > from && char.IsWhiteSpace(text[start - 1]))
                    start--;
            if (token.RightStrip)
                while (end < text.Length && char.IsWhiteSpace(text[end]))
                    end++;
            match = new AddedTokenMatch(token.Id, start, end);
            return true;
        }

        match = default;
        return false;
    }

    private (string Content, AddedToken Token)? LongestAt(ReadOnlySpan<char> text, int at, EncodeOptions options, int literalShift)
    {
        foreach ((string content, AddedToken token) in _byFirst[text[at]])
        {
            int end = at + content.Length;
            if (text[at..].StartsWith(content, StringComparison.Ordinal)
                && (!token.Special || IsAllowed(options, at + literalShift, end + literalShift))
                && (!token.SingleWord || (!EndsInWord(text[..at]) && !BeginsWithWord(text[end..]))))
                return (content, token);
        }

        return null;
    }

    /// <summary>Special tokens are recognised, and no part of [start, end) was written by a user.</summary>
    private static bool IsAllowed(EncodeOptions options, int start, int end)
    {
        if (!options.ParseSpecial)
            return false;

        IReadOnlyList<TextRange> literal = options.Literal;
        int low = 0;
        int high = literal.Count; // the first range that ends behind start
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (literal[middle].End <= start)
                low = middle + 1;
            else
                high = middle;
        }

        return low == literal.Count || literal[low].Start >= end;
    }

    private static bool EndsInWord(ReadOnlySpan<char> text) =>
        Rune.DecodeLastFromUtf16(text, out Rune rune, out _) == OperationStatus.Done && PatternEscapes.IsPlainWord(rune.Value);

    private static bool BeginsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeFromUtf16(text, out Rune rune, out _) == OperationStatus.Done && PatternEscapes.IsPlainWord(rune.Value);
}
