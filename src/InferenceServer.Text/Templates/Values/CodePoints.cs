namespace InferenceServer.Text.Templates.Values;

/// <summary>Python counts, indexes and compares strings by code point; .NET by UTF-16 unit. Lone surrogates count as one.</summary>
internal static class CodePoints
{
    public static int Count(string text)
    {
        if (!HasSurrogates(text)) return text.Length;
        int count = 0;
        for (int i = 0; i < text.Length; i += WidthAt(text, i)) count++;
        return count;
    }

    /// <summary>The UTF-16 offset of a code point index; the text's end if it lies behind.</summary>
    public static int Offset(string text, int index)
    {
        if (!HasSurrogates(text)) return Math.Min(index, text.Length);
        int offset = 0;
        for (int i = 0; i < index && offset < text.Length; i++) offset += WidthAt(text, offset);
        return offset;
    }

    /// <summary>The code point index of a UTF-16 offset.</summary>
    public static int IndexOf(string text, int offset) => HasSurrogates(text) ? Count(text[..offset]) : offset;

    public static int WidthAt(string text, int offset) =>
        char.IsHighSurrogate(text[offset]) && offset + 1 < text.Length && char.IsLowSurrogate(text[offset + 1]) ? 2 : 1;

    /// <summary>Ordinal comparison by code point: U+FFFF sorts before U+10000, unlike in UTF-16.</summary>
    public static int Compare(string left, string right)
    {
        int length = Math.Min(left.Length, right.Length);
        int at = left.AsSpan(0, length).CommonPrefixLength(right);
        if (at == length) return left.Length.CompareTo(right.Length);
        char a = left[at];
        char b = right[at];
        return char.IsSurrogate(a) != char.IsSurrogate(b) ? (char.IsSurrogate(a) ? 1 : -1) : a.CompareTo(b);
    }

    private static bool HasSurrogates(string text) => text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF');
}
