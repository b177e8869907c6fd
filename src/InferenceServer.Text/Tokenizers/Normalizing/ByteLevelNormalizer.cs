using InferenceServer.Text.Tokenizers.Models;

namespace InferenceServer.Text.Tokenizers.Normalizing;

/// <summary>Bytes become their printable stand-ins.</summary>
internal sealed class ByteLevelNormalizer : INormalizer
{
    public string Normalize(string text) => ByteAlphabet.Encode(text);
}
