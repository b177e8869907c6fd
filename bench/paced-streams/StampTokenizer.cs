using InferenceServer.Core.Text;

namespace InferenceServer.PacedStreams;

/// <summary>A token a character on the way in; on the way out a token's text is the stamp of the step that made it.</summary>
internal sealed class StampTokenizer(PacedRunner runner) : ITokenizer, IDetokenizer
{
    public int VocabularySize => PacedRunner.Vocabulary;

    public void Encode(string text, EncodeOptions options, List<int> ids)
    {
        foreach (char c in text) ids.Add(c % PacedRunner.Vocabulary);
    }

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial) => throw new NotSupportedException("A stream is never decoded as a whole here.");

    public ReadOnlyMemory<byte> TokenBytes(int id) => throw new NotSupportedException("No log-probabilities are asked for here.");

    public bool IsSpecial(int id) => false;

    public int? FindToken(string content) => null;

    public IDetokenizer CreateDetokenizer(bool skipSpecial, ReadOnlySpan<int> before = default) => this; // holds no state

    public string Append(int token) => runner.TextOf(token);

    public string Flush() => "";
}
