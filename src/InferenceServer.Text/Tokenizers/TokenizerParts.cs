using InferenceServer.Text.Tokenizers.Added;
using InferenceServer.Text.Tokenizers.Decoding;
using InferenceServer.Text.Tokenizers.Models;
using InferenceServer.Text.Tokenizers.Normalizing;
using InferenceServer.Text.Tokenizers.PreTokenizing;

namespace InferenceServer.Text.Tokenizers;

/// <summary>What a tokenizer.json holds, read and checked.</summary>
internal sealed record TokenizerParts
{
    public required Vocabulary Vocabulary { get; init; }

    public required ITokenModel Model { get; init; }

    public required TokenDecoder Decoder { get; init; }

    public IReadOnlyList<AddedToken> Added { get; init; } = [];

    public INormalizer? Normalizer { get; init; }

    public IPreTokenizer? PreTokenizer { get; init; }

    public SpecialFrame Frame { get; init; } = SpecialFrame.Empty;
}
