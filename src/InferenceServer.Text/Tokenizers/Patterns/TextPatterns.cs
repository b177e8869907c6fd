namespace InferenceServer.Text.Tokenizers.Patterns;

/// <summary>Chooses how a regular expression of a tokenizer.json is run.</summary>
internal static class TextPatterns
{
    /// <exception cref="ArgumentException">Neither engine understands the pattern.</exception>
    public static ITextPattern OfRegex(string pattern) =>
        pattern == SpaceAtLineEnd.Pattern ? new SpaceAtLineEnd()
        : ClassPattern.TryCompile(pattern) is { } compiled ? compiled
        : new RegexPattern(pattern);
}
