namespace InferenceServer.Text.Tokenizers.Normalizing;

/// <summary>Text to text, before it is cut into pieces. Immutable and thread-safe.</summary>
internal interface INormalizer
{
    string Normalize(string text);
}
