namespace InferenceServer.Text.Tokenizers.Decoding;

/// <summary>Removes up to a number of one character from the ends of a text.</summary>
internal readonly record struct EdgeStrip(char Content, int Start, int Stop)
{
    public static readonly EdgeStrip None = new(' ', 0, 0);

    public string Apply(string text)
    {
        int from = 0;
        while (from < Start && from < text.Length && text[from] == Content)
            from++;
        int to = text.Length;
        while (text.Length - to < Stop && to > from && text[to - 1] == Content)
            to--;
        return text[from..to];
    }
}
