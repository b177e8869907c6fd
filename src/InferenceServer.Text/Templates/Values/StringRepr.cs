using System.Globalization;
using System.Text;

namespace InferenceServer.Text.Templates.Values;

/// <summary>Python's repr of a str: single quotes unless only these occur inside, and escapes for what does not print.</summary>
internal static class StringRepr
{
    public static void Write(StringValue value, TextBuilder text)
    {
        string source = value.Text;
        char quote = source.Contains('\'') && !source.Contains('"') ? '"' : '\'';
        text.Append(quote);
        int plainFrom = 0;
        for (int i = 0; i < source.Length;)
        {
            int width = CodePoints.WidthAt(source, i);
            if (Escape(source, i, width, quote) is { } escape)
            {
                text.Append(value, plainFrom, i - plainFrom);
                text.Append(escape, value.IsUserAt(i));
                plainFrom = i + width;
            }
            i += width;
        }
        text.Append(value, plainFrom, source.Length - plainFrom);
        text.Append(quote);
    }

    private static string? Escape(string source, int at, int width, char quote)
    {
        char unit = source[at];
        if (unit is >= ' ' and < '\x7f') return unit == quote || unit == '\\' ? "\\" + unit : null;
        int code = width == 2 ? char.ConvertToUtf32(source, at) : unit;
        return code switch
        {
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            _ when IsPrintable(code) => null,
            <= 0xff => $"\\x{code:x2}",
            <= 0xffff => $"\\u{code:x4}",
            _ => $"\\U{code:x8}",
        };
    }

    private static bool IsPrintable(int code) => Rune.IsValid(code) && CharUnicodeInfo.GetUnicodeCategory(code) is not
        (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);
}
