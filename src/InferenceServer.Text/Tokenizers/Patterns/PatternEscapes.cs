using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace InferenceServer.Text.Tokenizers.Patterns;

/// <summary>Backslash sequences and properties of Oniguruma's language.</summary>
internal static class PatternEscapes
{
    private const uint Letters = 1u << (int)UnicodeCategory.UppercaseLetter | 1u << (int)UnicodeCategory.LowercaseLetter
        | 1u << (int)UnicodeCategory.TitlecaseLetter | 1u << (int)UnicodeCategory.ModifierLetter | 1u << (int)UnicodeCategory.OtherLetter;

    private const uint Marks = 1u << (int)UnicodeCategory.NonSpacingMark | 1u << (int)UnicodeCategory.SpacingCombiningMark
        | 1u << (int)UnicodeCategory.EnclosingMark;

    private const uint WordCategories = Letters | Marks | 1u << (int)UnicodeCategory.DecimalDigitNumber
        | 1u << (int)UnicodeCategory.LetterNumber | 1u << (int)UnicodeCategory.ConnectorPunctuation;

    // The order is that of UnicodeCategory.
    private static readonly string[] CategoryNames =
    [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co",
        "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn",
    ];

    /// <summary>A code point by itself or escaped; false if <paramref name="at"/> is at a class.</summary>
    public static bool TryCodePoint(string pattern, ref int at, out int codePoint)
    {
        codePoint = 0;
        if (at >= pattern.Length)
            return false;
        if (pattern[at] != '\\')
        {
            codePoint = char.IsSurrogatePair(pattern, at) ? char.ConvertToUtf32(pattern, at) : pattern[at];
            at += codePoint > 0xFFFF ? 2 : 1;
            return true;
        }

        if (at + 1 >= pattern.Length)
            return false;
        char escaped = pattern[at + 1];
        if (escaped is 'x' or 'u')
            return TryHex(pattern, ref at, out codePoint);
        codePoint = escaped switch { 'n' => '\n', 'r' => '\r', 't' => '\t', 'f' => '\f', 'v' => '\v', 'a' => '\a', 'e' => 0x1B, _ => escaped };
        if (char.IsAsciiLetterOrDigit(escaped) && codePoint == escaped)
            return false;
        at += 2;
        return true;
    }

    /// <summary><c>\s \d \w</c>, their negations, and <c>\p{…}</c>.</summary>
    public static bool TryClass(string pattern, ref int at, [NotNullWhen(true)] out Func<int, bool>? rule)
    {
        rule = null;
        if (at + 1 >= pattern.Length || pattern[at] != '\\')
            return false;
        char escaped = pattern[at + 1];
        if (escaped is 'p' or 'P')
            return TryProperty(pattern, ref at, out rule);

        Func<int, bool>? known = char.ToLowerInvariant(escaped) switch
        {
            's' => IsWhiteSpace,
            'd' => static c => CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.DecimalDigitNumber,
            'w' => IsWord,
            _ => null,
        };
        if (known is null)
            return false;
        rule = char.IsUpper(escaped) ? c => !known(c) : known;
        at += 2;
        return true;
    }

    /// <summary>The White_Space property.</summary>
    public static bool IsWhiteSpace(int c) => c <= 0xFFFF && char.IsWhiteSpace((char)c);

    /// <summary>Oniguruma's <c>\w</c>: letters, marks, digits, connectors, and by its own table the small digits and fractions of Latin-1.</summary>
    public static bool IsWord(int c) =>
        (WordCategories >> (int)CharUnicodeInfo.GetUnicodeCategory(c) & 1) != 0 || c is 0xB2 or 0xB3 or 0xB9 or >= 0xBC and <= 0xBE || IsCircledLetter(c);

    /// <summary>The <c>\w</c> of UTS 18, which added tokens and the Whitespace pre-tokenizer go by: the same without fractions, but with the two joiners.</summary>
    public static bool IsPlainWord(int c) =>
        (WordCategories >> (int)CharUnicodeInfo.GetUnicodeCategory(c) & 1) != 0 || c is 0x200C or 0x200D || IsCircledLetter(c);

    // Letters that are symbols by category.
    private static bool IsCircledLetter(int c) =>
        c is >= 0x24B6 and <= 0x24E9 or >= 0x1F130 and <= 0x1F149 or >= 0x1F150 and <= 0x1F169 or >= 0x1F170 and <= 0x1F189;

    private static bool TryHex(string pattern, ref int at, out int codePoint)
    {
        codePoint = 0;
        int start = at + 2;
        int end = start + (pattern[at + 1] == 'u' ? 4 : 2);
        int next = end;
        if (start < pattern.Length && pattern[start] == '{')
        {
            end = pattern.IndexOf('}', start);
            start++;
            next = end + 1;
        }

        if (end <= start || end > pattern.Length || !int.TryParse(pattern.AsSpan(start, end - start), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out codePoint))
            return false;
        at = next;
        return true;
    }

    private static bool TryProperty(string pattern, ref int at, [NotNullWhen(true)] out Func<int, bool>? rule)
    {
        rule = null;
        bool negated = pattern[at + 1] == 'P';
        int close = pattern.IndexOf('}', at);
        if (at + 2 >= pattern.Length || pattern[at + 2] != '{' || close < 0)
            return false;

        string name = pattern[(at + 3)..close];
        if (name.StartsWith('^'))
            (name, negated) = (name[1..], !negated);
        Func<int, bool>? known = Property(name);
        if (known is null)
            return false;
        rule = negated ? c => !known(c) : known;
        at = close + 1;
        return true;
    }

    private static Func<int, bool>? Property(string name)
    {
        uint mask = 0;
        for (int i = 0; i < CategoryNames.Length; i++)
            if (CategoryNames[i] == name || (name.Length == 1 && CategoryNames[i][0] == name[0]))
                mask |= 1u << i;
        return mask != 0 ? CodePointSet.OfCategories(mask) : Scripts.Find(name);
    }
}
