namespace InferenceServer.Text.Tokenizers.PreTokenizing;

/// <summary>A part [Start, End) of a text. AtTextStart: nothing of the caller's text stands before it, which Metaspace's "first" scheme asks.</summary>
internal readonly record struct Piece(string Text, int Start, int End, bool AtTextStart)
{
    public ReadOnlySpan<char> Span => Text.AsSpan(Start, End - Start);

    public bool IsEmpty => Start == End;

    /// <summary>The part [start, end) of this piece, in its own coordinates.</summary>
    public Piece Part(int start, int end) => new(Text, Start + start, Start + end, AtTextStart && start == 0);
}
