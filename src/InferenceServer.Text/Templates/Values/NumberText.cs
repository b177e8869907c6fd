using System.Globalization;

namespace InferenceServer.Text.Templates.Values;

/// <summary>Numbers as Python writes them.</summary>
internal static class NumberText
{
    /// <summary>repr(float): the shortest digits that read back the same; an exponent below 1e-4 and from 1e16.</summary>
    public static string Repr(double number)
    {
        if (double.IsNaN(number)) return "nan";
        if (double.IsInfinity(number)) return number > 0 ? "inf" : "-inf";
        (string sign, string digits, int point) = Decompose(number.ToString("R", CultureInfo.InvariantCulture));
        if (number == 0) return sign + "0.0";
        int exponent = point - 1;
        return exponent is < -4 or >= 16 ? sign + Exponential(digits, exponent) : sign + Plain(digits, point);
    }

    /// <summary>Splits "-1.25E-07" into sign, significant digits and the place of the point relative to the first digit.</summary>
    private static (string Sign, string Digits, int Point) Decompose(string text)
    {
        string sign = text[0] == '-' ? "-" : "";
        int exponentAt = text.IndexOf('E');
        int exponent = exponentAt < 0 ? 0 : int.Parse(text.AsSpan(exponentAt + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string mantissa = text[sign.Length..(exponentAt < 0 ? text.Length : exponentAt)];
        int dot = mantissa.IndexOf('.');
        int point = (dot < 0 ? mantissa.Length : dot) + exponent;
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        string trimmed = digits.TrimStart('0');
        return (sign, trimmed.TrimEnd('0'), point - (digits.Length - trimmed.Length));
    }

    private static string Exponential(string digits, int exponent)
    {
        string fraction = digits.Length > 1 ? "." + digits[1..] : "";
        return $"{digits[0]}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
    }

    private static string Plain(string digits, int point)
    {
        if (point <= 0) return "0." + new string('0', -point) + digits;
        return point >= digits.Length
            ? digits + new string('0', point - digits.Length) + ".0"
            : $"{digits[..point]}.{digits[point..]}";
    }
}
