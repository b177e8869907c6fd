using System.Globalization;
using System.Text;

namespace InferenceServer.Text.Tokenizers.Normalizing;

/// <summary>BERT's basic cleaning: control characters out, Chinese characters spaced, accents off, lower case.</summary>
internal sealed class BertNormalizer(bool cleanText, bool spaceChinese, bool stripAccents, bool lowercase) : INormalizer
{
    public string Normalize(string text)
    {
        StringBuilder cleaned = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (cleanText && (rune.Value is 0 or 0xFFFD || IsControl(rune)))
                continue;
            if (cleanText && Rune.IsWhiteSpace(rune))
                cleaned.Append(' ');
            else if (spaceChinese && IsChinese(rune.Value))
                cleaned.Append(' ').Append(rune).Append(' ');
            else
                cleaned.Append(rune);
        }

        text = cleaned.ToString();
        if (stripAccents)
            text = StripMarks(UnicodeNormalizer.Nfd.Normalize(text));
        return lowercase ? RuneNormalizer.Lowercase.Normalize(text) : text;
    }

    private static bool IsControl(Rune rune) => rune.Value is not ('\t' or '\n' or '\r')
        && Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse;

    private static bool IsChinese(int c) => c is >= 0x4E00 and <= 0x9FFF or >= 0x3400 and <= 0x4DBF or >= 0x20000 and <= 0x2A6DF
        or >= 0x2A700 and <= 0x2B73F or >= 0x2B740 and <= 0x2B81F or >= 0x2B920 and <= 0x2CEAF or >= 0xF900 and <= 0xFAFF or >= 0x2F800 and <= 0x2FA1F;

    private static string StripMarks(string text)
    {
        StringBuilder stripped = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
            if (Rune.GetUnicodeCategory(rune) != UnicodeCategory.NonSpacingMark)
                stripped.Append(rune);
        return stripped.ToString();
    }
}
