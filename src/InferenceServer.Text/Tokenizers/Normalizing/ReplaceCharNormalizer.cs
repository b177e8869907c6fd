namespace InferenceServer.Text.Tokenizers.Normalizing;

/// <summary>One character for another: the usual " " to "▁", vectorised.</summary>
internal sealed class ReplaceCharNormalizer(char from, char to) : INormalizer
{
    public string Normalize(string text) => text.Replace(from, to);
}
