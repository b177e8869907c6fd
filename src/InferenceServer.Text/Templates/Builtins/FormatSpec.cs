using System.Globalization;
using System.Numerics;
using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>How one value is laid out by <c>%</c> or by str.format: Python's format specification mini-language.</summary>
internal readonly record struct FormatSpec
{
    // Wider than any number a template lays out, and cheap.
    private const int MaxWidth = 10_000;
    private const int MaxPrecision = 100;

    public string Fill { get; init; }

    /// <summary>'&lt;', '&gt;', '^', '=' or 0 for the type's own.</summary>
    public char Align { get; init; }

    /// <summary>'+', ' ' or '-'.</summary>
    public char Sign { get; init; }

    public bool IsAlternate { get; init; }

    public int Width { get; init; }

    /// <summary>',' or '_' between thousands, or 0.</summary>
    public char Grouping { get; init; }

    public int Precision { get; init; }

    /// <summary>The conversion letter, or 0.</summary>
    public char Kind { get; init; }

    /// <summary>Parses what stands behind the colon of str.format.</summary>
    public static FormatSpec Parse(string spec)
    {
        int at = 0;
        string fill = " ";
        char align = '\0';
        if (spec.Length > 1 && IsAlign(spec[1])) (fill, align, at) = (spec[..1], spec[1], 2);
        else if (spec.Length > 0 && IsAlign(spec[0])) (align, at) = (spec[0], 1);
        char sign = at < spec.Length && spec[at] is '+' or ' ' or '-' ? spec[at++] : '-';
        bool isAlternate = at < spec.Length && spec[at] == '#' && at++ >= 0;
        if (at < spec.Length && spec[at] == '0')
        {
            at++;
            if (align == '\0') (fill, align) = ("0", '=');
        }
        int width = ReadNumber(spec, ref at) ?? 0;
        char grouping = at < spec.Length && spec[at] is ',' or '_' ? spec[at++] : '\0';
        int precision = -1;
        if (at < spec.Length && spec[at] == '.')
        {
            at++;
            precision = ReadNumber(spec, ref at) ?? throw new TemplateError("Format specifier missing precision.");
        }
        char kind = at < spec.Length ? spec[at++] : '\0';
        if (at < spec.Length) throw new TemplateError($"Invalid format specifier '{spec}'.");
        return new FormatSpec
        {
            Fill = fill,
            Align = align,
            Sign = sign,
            IsAlternate = isAlternate,
            Width = width,
            Grouping = grouping,
            Precision = precision,
            Kind = kind,
        };
    }

    /// <summary>Reads digits; null if there are none.</summary>
    public static int? ReadNumber(string text, ref int at)
    {
        int start = at;
        while (at < text.Length && char.IsAsciiDigit(text[at])) at++;
        if (at == start) return null;
        return int.TryParse(text.AsSpan(start, at - start), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= MaxWidth
            ? number
            : throw new TemplateError($"A width or precision is larger than {MaxWidth}.");
    }

    public void Write(Value value, TextBuilder text)
    {
        if (value is StringValue || !Operators.IsNumber(value) || Kind == 's' || (value is BoolValue && Kind == '\0')) WriteText(value.ToText(), text);
        else if (Kind == 'c') WriteCharacter(value, text);
        else WriteNumber(value, text);
    }

    private void WriteText(StringValue value, TextBuilder text)
    {
        if (Kind is not ('\0' or 's')) throw new TemplateError($"Unknown format code '{Kind}' for object of type 'str'.");
        if (Precision >= 0) value = value.Part(0, CodePoints.Offset(value.Text, Precision));
        text.Append(Texts.Pad(value, Width, StringValue.Trusted(Fill), Align is '\0' or '=' ? '<' : Align));
    }

    // A user's number becomes a character here, so the character is the user's.
    private void WriteCharacter(Value value, TextBuilder text)
    {
        BigInteger code = Operators.ToInteger(value);
        if (value is FloatValue || code < 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw new TemplateError("%c needs the code of a character.");
        text.Append(Texts.Pad(StringValue.User(char.ConvertFromUtf32((int)code)), Width, StringValue.Trusted(Fill), Align is '\0' ? '<' : Align));
    }

    private void WriteNumber(Value value, TextBuilder text)
    {
        bool isNegative = value is FloatValue number ? number.Number < 0 : Operators.ToInteger(value).Sign < 0;
        string digits = value is FloatValue || Kind is 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%'
            ? FloatDigits(Math.Abs(Operators.ToDouble(value)))
            : IntegerDigits(BigInteger.Abs(Operators.ToInteger(value)));
        string sign = isNegative ? "-" : Sign is '+' or ' ' ? Sign.ToString() : "";
        int missing = Width - sign.Length - digits.Length;
        char align = Align == '\0' ? '>' : Align;
        if (align == '=') text.Append(sign + Repeat(missing) + digits);
        else text.Append(Texts.Pad(StringValue.Trusted(sign + digits), Width, StringValue.Trusted(Fill), align));
    }

    private string Repeat(int count) => count <= 0 ? "" : new string(Fill[0], count);

    private string IntegerDigits(BigInteger number)
    {
        string prefix = IsAlternate && Kind is 'x' or 'X' or 'o' or 'b' ? "0" + Kind : "";
        return Kind switch
        {
            '\0' or 'd' or 'i' or 'u' or 'n' => Group(number.ToString(CultureInfo.InvariantCulture)).PadLeft(DigitsAtLeast, '0'),
            'x' => prefix + Trim(number.ToString("x", CultureInfo.InvariantCulture)),
            'X' => prefix + Trim(number.ToString("X", CultureInfo.InvariantCulture)),
            'b' => prefix + Trim(number.ToString("b", CultureInfo.InvariantCulture)),
            'o' => prefix + Octal(number),
            _ => throw new TemplateError($"Unknown format code '{Kind}' for object of type 'int'."),
        };
    }

    private int DigitsAtLeast => Math.Clamp(Precision, 0, MaxPrecision);

    private static string Trim(string digits) => digits.TrimStart('0') is { Length: > 0 } trimmed ? trimmed : "0";

    private static string Octal(BigInteger number)
    {
        if (number.IsZero) return "0";
        var digits = new Stack<char>();
        for (; !number.IsZero; number >>= 3) digits.Push((char)('0' + (int)(number & 7)));
        return new string([.. digits]);
    }

    private string FloatDigits(double number)
    {
        int precision = Math.Min(Precision < 0 ? 6 : Precision, MaxPrecision);
        if (!double.IsFinite(number)) return NumberText.Repr(number);
        switch (Kind)
        {
            case '\0' when Precision < 0: return Group(NumberText.Repr(number));
            case '\0' or 'g' or 'G' or 'n': return General(number, Math.Max(precision, 1));
            case 'e' or 'E': return Exponential(number, precision);
            case 'f' or 'F': return Group(number.ToString("F" + precision, CultureInfo.InvariantCulture));
            case '%': return (number * 100).ToString("F" + precision, CultureInfo.InvariantCulture) + "%";
            case 'd' or 'i' or 'u': return new BigInteger(number).ToString(CultureInfo.InvariantCulture);
            default: throw new TemplateError($"Unknown format code '{Kind}' for object of type 'float'.");
        }
    }

    private string Exponential(double number, int precision)
    {
        string text = number.ToString((char.IsUpper(Kind) ? "E" : "e") + precision, CultureInfo.InvariantCulture);
        int exponentAt = text.IndexOfAny(['e', 'E']);
        return text[..(exponentAt + 2)] + text[(exponentAt + 2)..].TrimStart('0').PadLeft(2, '0'); // C# writes three digits, Python two
    }

    private string General(double number, int precision)
    {
        string scientific = Exponential(number, precision - 1);
        int exponent = int.Parse(scientific.AsSpan(scientific.IndexOfAny(['e', 'E']) + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        if (exponent < -4 || exponent >= precision)
        {
            int exponentAt = scientific.IndexOfAny(['e', 'E']);
            return TrimFraction(scientific[..exponentAt]) + scientific[exponentAt..];
        }
        return Group(TrimFraction(number.ToString("F" + Math.Max(precision - 1 - exponent, 0), CultureInfo.InvariantCulture)));
    }

    private static string TrimFraction(string digits) => digits.Contains('.') ? digits.TrimEnd('0').TrimEnd('.') : digits;

    private string Group(string digits)
    {
        if (Grouping == '\0') return digits;
        int end = digits.IndexOf('.') is var dot && dot < 0 ? digits.Length : dot;
        string grouped = digits;
        for (int i = end - 3; i > 0; i -= 3) grouped = grouped.Insert(i, Grouping.ToString());
        return grouped;
    }

    private static bool IsAlign(char character) => character is '<' or '>' or '^' or '=';
}
