using System.Globalization;
using System.Text;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>Python's strftime in the C locale, for a time without zone, as Hugging Face's strftime_now uses it.</summary>
internal static class TimeFormat
{
    public static string Format(DateTimeOffset time, string format)
    {
        var text = new StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }
            char flag = format[i + 1] is '-' or '_' or '0' && i + 2 < format.Length ? format[++i] : '\0';
            string field = Field(time, format[++i]);
            text.Append(flag switch { '-' => Unpadded(field), '_' => Unpadded(field).PadLeft(field.Length), _ => field });
        }
        return text.ToString();
    }

    private static string Unpadded(string field) => field.TrimStart('0', ' ') is { Length: > 0 } rest ? rest : field.Length > 0 ? field[^1..] : field;

    private static string Field(DateTimeOffset time, char code) => code switch
    {
        'Y' or 'y' or 'm' or 'd' or 'H' or 'I' or 'M' or 'S' or 'p' or 'B' or 'b' or 'h' or 'A' or 'a' => time.ToString(Pattern(code), CultureInfo.InvariantCulture),
        'G' => ISOWeek.GetYear(time.DateTime).ToString("0000", CultureInfo.InvariantCulture),
        'V' => Two(ISOWeek.GetWeekOfYear(time.DateTime)),
        'U' => Two((time.DayOfYear + 6 - (int)time.DayOfWeek) / 7),
        'W' => Two((time.DayOfYear + 6 - (((int)time.DayOfWeek + 6) % 7)) / 7),
        'j' => time.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
        'u' => (time.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'w' => ((int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'e' => time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'k' => time.Hour.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'l' => time.ToString("%h", CultureInfo.InvariantCulture).PadLeft(2),
        'P' => time.ToString("tt", CultureInfo.InvariantCulture).ToLowerInvariant(),
        'C' => Two(time.Year / 100),
        'f' => time.ToString("ffffff", CultureInfo.InvariantCulture),
        's' => time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
        'Z' or 'z' => "",
        'n' => "\n",
        't' => "\t",
        '%' => "%",
        'F' => Format(time, "%Y-%m-%d"),
        'D' or 'x' => Format(time, "%m/%d/%y"),
        'T' or 'X' => Format(time, "%H:%M:%S"),
        'R' => Format(time, "%H:%M"),
        'r' => Format(time, "%I:%M:%S %p"),
        'c' => Format(time, "%a %b %e %H:%M:%S %Y"),
        _ => "%" + code,
    };

    private static string Pattern(char code) => code switch
    {
        'Y' => "yyyy",
        'y' => "yy",
        'm' => "MM",
        'd' => "dd",
        'H' => "HH",
        'I' => "hh",
        'M' => "mm",
        'S' => "ss",
        'p' => "tt",
        'B' => "MMMM",
        'A' => "dddd",
        'a' => "ddd",
        _ => "MMM",
    };

    private static string Two(int number) => number.ToString("00", CultureInfo.InvariantCulture);
}
