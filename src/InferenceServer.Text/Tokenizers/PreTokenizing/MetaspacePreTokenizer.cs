namespace InferenceServer.Text.Tokenizers.PreTokenizing;

/// <summary>When <see cref="MetaspacePreTokenizer"/> writes its mark in front; the names are the file format's.</summary>
internal enum PrependScheme
{
    Always,
    First,
    Never,
}

/// <summary>sentencepiece's way: spaces become "▁", one goes in front, and pieces begin at it.</summary>
internal sealed class MetaspacePreTokenizer(char replacement, PrependScheme scheme, bool split) : IPreTokenizer
{
    public void Split(in Piece piece, IPieceSink sink)
    {
        string text = piece.Span.ToString().Replace(' ', replacement);
        bool prepends = scheme == PrependScheme.Always || (scheme == PrependScheme.First && piece.AtTextStart);
        if (prepends && text[0] != replacement)
            text = replacement + text;

        Piece whole = new(text, 0, text.Length, piece.AtTextStart);
        if (!split)
        {
            sink.Take(whole);
            return;
        }

        // Every mark begins a piece, a second one in a row too.
        for (int start = 0; start < text.Length;)
        {
            int next = text.IndexOf(replacement, start + 1);
            int end = next < 0 ? text.Length : next;
            sink.Take(whole.Part(start, end));
            start = end;
        }
    }
}
