using InferenceServer.Text.Tokenizers.Patterns;

namespace InferenceServer.Text.Tokenizers.Loading;

/// <summary>Reads <c>{"String": …}</c> or <c>{"Regex": …}</c>.</summary>
internal static class PatternReader
{
    public static ITextPattern Read(JsonField pattern)
    {
        if (!pattern["String"].IsNull)
            return new LiteralPattern(pattern["String"].AsString());

        JsonField regex = pattern.Required("Regex");
        try
        {
            return TextPatterns.OfRegex(regex.AsString());
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"\"{regex.Path}\" is not a pattern that this server understands: {e.Message}", e);
        }
    }
}
