using System.Globalization;
using System.Numerics;
using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>Filters that make or take numbers.</summary>
internal static class NumberFilters
{
    public static Value Int(TemplateRun run, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("int", 0, "default", "base");
        Value missing = bound[0] ?? IntValue.Of(0);
        switch (value)
        {
            case IntValue: return value;
            case BoolValue: return IntValue.Of(Operators.ToInteger(value));
            case FloatValue number: return double.IsFinite(number.Number) ? IntValue.Of(new BigInteger(number.Number)) : missing;
            case StringValue text:
                if (ParseInteger(text.Text, Texts.RequireInt(bound[1], 10, "int")) is { } integer) return IntValue.Of(integer);
                return ParseFloat(text.Text) is { } real && double.IsFinite(real) ? IntValue.Of(new BigInteger(real)) : missing;
            case UndefinedValue undefined: throw undefined.Fail();
            default: return missing;
        }
    }

    public static Value Float(TemplateRun run, Value value, Arguments arguments)
    {
        Value missing = arguments.Bind("float", 0, "default")[0] ?? new FloatValue(0);
        if (Operators.IsNumber(value)) return new FloatValue(Operators.ToDouble(value));
        if (value is UndefinedValue undefined) throw undefined.Fail();
        return value is StringValue text && ParseFloat(text.Text) is { } number ? new FloatValue(number) : missing;
    }

    public static Value Abs(TemplateRun run, Value value, Arguments arguments) => value switch
    {
        FloatValue number => new FloatValue(Math.Abs(number.Number)),
        _ when Operators.IsNumber(value) => IntValue.Of(BigInteger.Abs(Operators.ToInteger(value))),
        UndefinedValue undefined => throw undefined.Fail(),
        _ => throw new TemplateError($"bad operand type for abs(): '{value.TypeName}'."),
    };

    /// <summary>Python's round (half to even on the exact binary value), or ceil and floor at a decimal place.</summary>
    public static Value Round(TemplateRun run, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("round", 0, "precision", "method");
        int precision = Math.Clamp(Texts.RequireInt(bound[0], 0, "round"), -300, 300);
        string method = bound[1] is null ? "common" : bound[1]!.ToText().Text;
        if (!Operators.IsNumber(value)) throw value is UndefinedValue undefined ? undefined.Fail() : new TemplateError($"round() needs a number, not {value.TypeName}.");
        double number = Operators.ToDouble(value);
        double scale = Math.Pow(10, precision);
        switch (method)
        {
            case "ceil": return new FloatValue(Math.Ceiling(number * scale) / scale);
            case "floor": return new FloatValue(Math.Floor(number * scale) / scale);
            case not "common": throw new TemplateError("method must be common, ceil or floor.");
        }
        if (value is not FloatValue && precision >= 0) return IntValue.Of(Operators.ToInteger(value));
        if (!double.IsFinite(number) || precision > 100) return value;
        if (precision < 0)
        {
            double rounded = Math.Round(number / Math.Pow(10, -precision), MidpointRounding.ToEven) * Math.Pow(10, -precision);
            return value is FloatValue ? new FloatValue(rounded) : IntValue.Of(new BigInteger(rounded));
        }
        // .NET formats the exact value of a double and rounds its decimal expansion correctly; only ties at 0 places need care.
        return new FloatValue(precision == 0
            ? Math.Round(number, MidpointRounding.ToEven)
            : double.Parse(number.ToString("F" + precision, CultureInfo.InvariantCulture), CultureInfo.InvariantCulture));
    }

    public static Value Sum(TemplateRun run, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("sum", 0, "attribute", "start");
        Value total = bound[1] ?? IntValue.Of(0);
        foreach (Value item in value.Iterate())
        {
            run.Charge(1);
            total = Operators.Add(run, total, bound[0] is null or NoneValue ? item : Members.Path(item, bound[0]!));
        }
        return total;
    }

    /// <summary>Python's int(text, radix), or null.</summary>
    private static BigInteger? ParseInteger(string text, int radix)
    {
        text = text.Trim().Replace("_", "", StringComparison.Ordinal);
        if (text.Length is 0 or > TemplateLimits.IntegerDigits) return null;
        bool isNegative = text[0] == '-';
        if (text[0] is '-' or '+') text = text[1..];
        string prefix = radix switch { 16 => "0x", 8 => "0o", 2 => "0b", _ => "" };
        if (prefix.Length > 0 && text.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)) text = text[2..];
        if (text.Length == 0) return null;
        BigInteger number = 0;
        foreach (char character in text)
        {
            int digit = char.IsAsciiLetter(character) ? char.ToLowerInvariant(character) - 'a' + 10 : character - '0';
            if (digit < 0 || digit >= radix || !char.IsAsciiLetterOrDigit(character)) return null;
            number = (number * radix) + digit;
        }
        return isNegative ? -number : number;
    }

    private static double? ParseFloat(string text)
    {
        text = text.Trim();
        string name = text.TrimStart('+', '-').ToLowerInvariant();
        double sign = text.StartsWith('-') ? -1 : 1;
        if (name is "inf" or "infinity") return sign * double.PositiveInfinity;
        if (name == "nan") return double.NaN;
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && !text.Contains('∞') ? number : null;
    }
}
