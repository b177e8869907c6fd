namespace InferenceServer.Text.Tokenizers.Patterns;

/// <summary>
/// <c>\s+$</c>, which DeepSeek's pre-tokenizer cuts with. Tried at every place, it takes the square of a run of white space that ends in text.
/// </summary>
internal sealed class SpaceAtLineEnd : ITextPattern
{
    public const string Pattern = @"\s+$";

    private static readonly CodePointSet WhiteSpace = new(PatternEscapes.IsWhiteSpace);

    public void FindAll(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        for (int at = 0; at < text.Length;)
        {
            int end = WhiteSpace.RunEnd(text, at, int.MaxValue, out int count);
            if (count > 0)
            {
                // A run that ends in text gives back as much as lies behind its last line.
                int lineEnd = end == text.Length ? count : text[at..end].LastIndexOf('\n');
                if (lineEnd > 0)
                    matches.Add((at, at + lineEnd));
            }

            at = end + 1; // the second half of a pair is no white space
        }
    }
}
