namespace InferenceServer.Text.Tokenizers.Patterns;

/// <summary>The syntax tree of a pattern, as far as <see cref="PatternParser"/> knows the language.</summary>
internal abstract record PatternNode
{
    /// <summary>One code point out of a set.</summary>
    internal sealed record One(CodePointSet Set) : PatternNode;

    internal sealed record Chain(IReadOnlyList<PatternNode> Parts) : PatternNode;

    internal sealed record Choice(IReadOnlyList<PatternNode> Alternatives) : PatternNode;

    /// <summary>Greedy; a possessive one gives nothing back.</summary>
    internal sealed record Repeat(PatternNode Body, int Min, int Max, bool Possessive) : PatternNode;

    /// <summary>The end of a line or of the text; takes nothing.</summary>
    internal sealed record LineEnd : PatternNode;

    /// <summary>Whether the next code point is in the set; the end of the text is in none.</summary>
    internal sealed record LookAhead(CodePointSet Set, bool Negative) : PatternNode;
}
