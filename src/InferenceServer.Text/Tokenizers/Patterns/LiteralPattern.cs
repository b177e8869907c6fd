namespace InferenceServer.Text.Tokenizers.Patterns;

/// <summary>A fixed string.</summary>
internal sealed class LiteralPattern(string literal) : ITextPattern
{
    public void FindAll(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        if (literal.Length == 0)
            return;
        for (int from = 0; ; from += literal.Length)
        {
            int at = text[from..].IndexOf(literal, StringComparison.Ordinal);
            if (at < 0)
                return;
            from += at;
            matches.Add((from, from + literal.Length));
        }
    }
}
