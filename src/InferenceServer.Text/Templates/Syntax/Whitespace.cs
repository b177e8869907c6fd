namespace InferenceServer.Text.Templates.Syntax;

/// <summary>What Python's str.isspace and the \s of its regular expressions call whitespace.</summary>
internal static class Whitespace
{
    // Python counts the four information separators, .NET does not.
    public static bool Is(char character) => character is >= '\x1c' and <= '\x1f' || char.IsWhiteSpace(character);
}
