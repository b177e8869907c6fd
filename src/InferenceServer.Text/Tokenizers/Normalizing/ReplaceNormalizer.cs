using System.Text;
using InferenceServer.Text.Tokenizers.Patterns;

namespace InferenceServer.Text.Tokenizers.Normalizing;

/// <summary>Every match becomes a fixed string.</summary>
internal sealed class ReplaceNormalizer(ITextPattern pattern, string content) : INormalizer
{
    public string Normalize(string text)
    {
        List<(int Start, int End)> matches = [];
        pattern.FindAll(text, matches);
        if (matches.Count == 0)
            return text;

        StringBuilder replaced = new(text.Length);
        int from = 0;
        foreach ((int start, int end) in matches)
        {
            replaced.Append(text, from, start - from).Append(content);
            from = end;
        }

        return replaced.Append(text, from, text.Length - from).ToString();
    }
}
