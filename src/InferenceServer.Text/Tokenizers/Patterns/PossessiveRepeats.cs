namespace InferenceServer.Text.Tokenizers.Patterns;

/// <summary>Rewrites <c>x++</c>, <c>x*+</c> and <c>x?+</c>, which .NET does not know, as <c>(?&gt;x+)</c> and so on.</summary>
internal static class PossessiveRepeats
{
    public static string ToAtomicGroups(string pattern)
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
            else if (c is '+' or '*' or '?' or '{')
            {
                at = c == '{' ? pattern.IndexOf('}', at) is >= 0 and int close ? close + 1 : at + 1 : at + 1;
            }
            else
            {
                atom = at;
                if (c == '(')
                    groups.Push(at);
                at = c == '[' ? BracketEnd(pattern, at) : c == '\\' ? EscapeEnd(pattern, at) : at + 1;
                if (c == '(' && at < pattern.Length && pattern[at] == '?')
                    at++;
            }
        }

        return pattern;
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
            return pattern.IndexOf('}', end) is >= 0 and int close ? close + 1 : pattern.Length;
        return end;
    }
}
