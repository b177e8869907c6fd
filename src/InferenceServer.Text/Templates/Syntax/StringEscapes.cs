using System.Globalization;
using System.Text;

namespace InferenceServer.Text.Templates.Syntax;

/// <summary>The escapes of Python's string literals. An unknown escape stays as it is written, backslash included.</summary>
internal static class StringEscapes
{
    public static string Decode(ReadOnlySpan<char> literal)
    {
        if (!literal.Contains('\\')) return literal.ToString();
        var text = new StringBuilder(literal.Length);
        while (!literal.IsEmpty)
        {
            int plain = literal.IndexOf('\\');
            if (plain < 0) plain = literal.Length;
            text.Append(literal[..plain]);
            literal = literal[plain..];
            if (!literal.IsEmpty) literal = literal[DecodeOne(literal, text)..];
        }
        return text.ToString();
    }

    /// <summary>Decodes the escape that <paramref name="escape"/> begins with; returns its length.</summary>
    private static int DecodeOne(ReadOnlySpan<char> escape, StringBuilder text)
    {
        char kind = escape.Length > 1 ? escape[1] : '\\';
        switch (kind)
        {
            case '\n': return 2;
            case 'x': return DecodeHex(escape, 2, text);
            case 'u': return DecodeHex(escape, 4, text);
            case 'U': return DecodeHex(escape, 8, text);
            case >= '0' and <= '7': return DecodeOctal(escape, text);
        }
        int known = "\\'\"abfnrtv".IndexOf(kind);
        if (known < 0) text.Append('\\').Append(kind);
        else text.Append("\\'\"\a\b\f\n\r\t\v"[known]);
        return Math.Min(2, escape.Length);
    }

    private static int DecodeHex(ReadOnlySpan<char> escape, int digits, StringBuilder text)
    {
        if (escape.Length < 2 + digits
            || !int.TryParse(escape.Slice(2, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code)
            || (uint)code > 0x10ffff)
        {
            text.Append(escape[..2]);
            return 2;
        }
        if (code > 0xffff) text.Append(char.ConvertFromUtf32(code));
        else text.Append((char)code);
        return 2 + digits;
    }

    private static int DecodeOctal(ReadOnlySpan<char> escape, StringBuilder text)
    {
        int code = 0;
        int length = 1;
        while (length < Math.Min(4, escape.Length) && escape[length] is >= '0' and <= '7') code = (code * 8) + (escape[length++] - '0');
        text.Append((char)code);
        return length;
    }
}
