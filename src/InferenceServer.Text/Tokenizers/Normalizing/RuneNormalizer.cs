using System.Globalization;
using System.Text;

namespace InferenceServer.Text.Tokenizers.Normalizing;

/// <summary>The normalizers that look at one character at a time.</summary>
internal sealed class RuneNormalizer(Action<Rune, StringBuilder> write) : INormalizer
{
    /// <summary>Full lower case, without regard to language or place in a word.</summary>
    public static readonly RuneNormalizer Lowercase = new(static (rune, text) =>
    {
        if (rune.Value == 0x130)
            text.Append("i\u0307"); // the one character whose lower case is two
        else
            text.Append(Rune.ToLowerInvariant(rune));
    });

    /// <summary>Drops combining marks; useful only behind NFD.</summary>
    public static readonly RuneNormalizer StripAccents = new(static (rune, text) =>
    {
        if (Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark))
            text.Append(rune);
    });

    /// <summary>What sentencepiece calls nmt: control characters go, odd spaces become spaces.</summary>
    public static readonly RuneNormalizer Nmt = new(static (rune, text) =>
    {
        int c = rune.Value;
        if (c is >= 0x1 and <= 0x8 or 0xB or >= 0xE and <= 0x1F or 0x7F or 0x8F or 0x9F)
            return;
        if (c is 0x9 or 0xA or 0xC or 0xD or 0x1680 or >= 0x200B and <= 0x200F or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD)
            text.Append(' ');
        else
            text.Append(rune);
    });

    public string Normalize(string text)
    {
        StringBuilder normalized = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
            write(rune, normalized);
        return normalized.ToString();
    }
}
