namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>One piece of pre-tokenized text to ids. Immutable and thread-safe.</summary>
internal interface ITokenModel
{
    /// <summary>Appends the ids of <paramref name="piece"/>, which never crosses a border set by the pre-tokenizer.</summary>
    void Tokenize(ReadOnlySpan<char> piece, List<int> ids);
}
