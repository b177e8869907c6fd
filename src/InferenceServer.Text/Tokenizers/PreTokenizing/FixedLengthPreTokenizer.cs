namespace InferenceServer.Text.Tokenizers.PreTokenizing;

/// <summary>Pieces of a fixed number of characters.</summary>
internal sealed class FixedLengthPreTokenizer(int length) : IPreTokenizer
{
    public void Split(in Piece piece, IPieceSink sink)
    {
        ReadOnlySpan<char> text = piece.Span;
        int start = 0;
        int count = 0;
        for (int at = 0; at < text.Length;)
        {
            at += at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;
            if (++count < length && at < text.Length)
                continue;
            sink.Take(piece.Part(start, at));
            (start, count) = (at, 0);
        }
    }
}
