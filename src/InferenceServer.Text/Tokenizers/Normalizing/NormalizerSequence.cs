namespace InferenceServer.Text.Tokenizers.Normalizing;

/// <summary>One normalizer behind the other.</summary>
internal sealed class NormalizerSequence(IReadOnlyList<INormalizer> steps) : INormalizer
{
    public string Normalize(string text)
    {
        foreach (INormalizer step in steps)
            text = step.Normalize(text);
        return text;
    }
}
