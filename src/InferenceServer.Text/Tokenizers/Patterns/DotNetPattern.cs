namespace InferenceServer.Text.Tokenizers.Patterns;

/// <summary>
/// Rewrites what Oniguruma writes otherwise than .NET: <c>x++</c> becomes <c>(?&gt;x+)</c>, and <c>x{1,3}+</c>, which repeats the repeat,
/// becomes <c>(?:x{1,3})+</c>; <c>\w</c> is spelled out.
/// </summary>
internal static class DotNetPattern
{
    private const string Word = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}²³¹¼½¾Ⓐ-ⓩ";

    public static string Of(string pattern)
    {
        Stack<int> groups = new();
        int atom = 0; // where the last atom begins
        for (int at = 0; at < pattern.Length;)
        {
            char c = pattern[at];
            if (c == ')')
            {
                atom = groups.TryPop(out int open) ? open : at;
                at++;
            }
            else if (c is '+' or '*' or '?' && at + 1 < pattern.Length && pattern[at + 1] == '+')
            {
                string atomic = $"(?>{pattern[atom..(at + 1)]})";
                pattern = pattern[..atom] + atomic + pattern[(at + 2)..];
                at = atom + atomic.Length;
            }
            else if (c == '{' && pattern.IndexOf('}', at) is >= 0 and int close)
            {
                at = close + 1;
                if (at == pattern.Length || pattern[at] != '+')
                    continue;
                string repeated = $"(?:{pattern[atom..at]})";
                pattern = pattern[..atom] + repeated + pattern[at..];
                at = atom + repeated.Length;
            }
            else if (c is '+' or '*' or '?')
            {
                at++;
            }
            else
            {
                atom = at;
                if (c == '(')
                    groups.Push(at);
                if (c is '[' or '\\')
                    pattern = SpellOutWord(pattern, at, c == '[' ? BracketEnd(pattern, at) : EscapeEnd(pattern, at));
                at = c == '[' ? BracketEnd(pattern, at) : c == '\\' ? EscapeEnd(pattern, at) : at + 1;
                if (c == '(' && at < pattern.Length && pattern[at] == '?')
                    at++;
            }
        }

        return pattern;
    }

    private static string SpellOutWord(string pattern, int start, int end)
    {
        string atom = pattern[start..end];
        string spelled = atom[0] == '[' ? atom.Replace(@"\w", Word, StringComparison.Ordinal)
            : atom == @"\w" ? $"[{Word}]" : atom == @"\W" ? $"[^{Word}]" : atom;
        return pattern[..start] + spelled + pattern[end..];
    }

    private static int BracketEnd(string pattern, int open)
    {
        int depth = 0;
        for (int at = open; at < pattern.Length; at++)
        {
            if (pattern[at] == '\\')
                at++;
            else if (pattern[at] == '[')
                depth++;
            else if (pattern[at] == ']' && --depth == 0)
                return at + 1;
        }

        return pattern.Length;
    }

    private static int EscapeEnd(string pattern, int backslash)
    {
        int end = Math.Min(backslash + 2, pattern.Length);
        if (end < pattern.Length && pattern[end - 1] is 'p' or 'P' or 'x' && pattern[end] == '{')
            return pattern.IndexOf('}', end) is >= 0 and int brace ? brace + 1 : pattern.Length;
        return end;
    }
}
