namespace InferenceServer.Text.Tokenizers.Patterns;

/// <summary>
/// A compiled pattern over sets of code points. What pre-tokenizers use (GPT-2, cl100k, o200k, Qwen, DeepSeek, …) is alternatives of
/// short chains of such sets, so one small matcher with a dispatch on the first character serves them all,
/// knows code points beyond the first plane, and needs no scanner a family. Its plain twin is <see cref="RegexPattern"/>.
/// </summary>
internal sealed class ClassPattern : ITextPattern
{
    private readonly PatternMatcher[] _all;
    private readonly PatternMatcher[][] _byFirst = new PatternMatcher[128][];

    private ClassPattern(PatternMatcher[] alternatives)
    {
        _all = alternatives;
        for (int c = 0; c < _byFirst.Length; c++)
            _byFirst[c] = Array.FindAll(alternatives, alternative => alternative.CanBegin((char)c));
    }

    /// <summary>Compiles a pattern, or returns null if it uses what <see cref="PatternParser"/> does not know.</summary>
    public static ClassPattern? TryCompile(string pattern)
    {
        try
        {
            return Compile(PatternParser.Parse(pattern));
        }
        catch (NotSupportedException)
        {
            return null; // The caller falls back to .NET's engine.
        }
    }

    /// <exception cref="NotSupportedException">The tree holds a repeated group.</exception>
    public static ClassPattern Compile(PatternNode node)
    {
        PatternMatcher end = new PatternMatcher.EndStep();
        IReadOnlyList<PatternNode> alternatives = node is PatternNode.Choice choice ? choice.Alternatives : [node];
        return new ClassPattern([.. alternatives.Select(alternative => PatternMatcher.Compile(alternative, end))]);
    }

    /// <summary>The end of the match that begins exactly at <paramref name="at"/>, or -1.</summary>
    public int MatchEnd(ReadOnlySpan<char> text, int at)
    {
        foreach (PatternMatcher alternative in at < text.Length && text[at] < 128 ? _byFirst[text[at]] : _all)
            if (alternative.Match(text, at) is >= 0 and int end)
                return end;
        return -1;
    }

    public void FindAll(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        int matchedTo = -1;
        for (int at = 0; at <= text.Length;)
        {
            int end = MatchEnd(text, at);
            // As in Oniguruma's iterator: no empty match directly behind another match.
            if (end > at || (end == at && at != matchedTo))
            {
                matches.Add((at, end));
                matchedTo = end;
            }

            at = end > at ? end : at + (at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1);
        }
    }
}
