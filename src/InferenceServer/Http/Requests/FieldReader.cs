using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;

namespace InferenceServer.Http.Requests;

/// <summary>
/// Typed access to the fields of a JSON object. A field that is absent or null reads as null; a wrong one is reported with its path
/// and reads as null. Where a name occurs twice, the last wins.
/// </summary>
internal readonly struct FieldReader
{
    // Lookups are linear in the fields; a body of a million names must not buy seconds of our time.
    private const int MaxFields = 1024;
    private const int ShownValue = 64;
    private readonly JsonElement _object;
    private readonly string _path;

    public FieldReader(JsonElement element, string path, FieldErrors errors)
    {
        Errors = errors;
        _path = path;
        if (element.ValueKind != JsonValueKind.Object)
            errors.Invalid(path.TrimEnd('.'), path.Length == 0 ? "The request body must be a JSON object." : $"'{path.TrimEnd('.')}' must be an object.");
        else if (element.GetPropertyCount() > MaxFields)
            errors.Invalid(path.TrimEnd('.'), $"An object with more than {MaxFields} fields is not accepted.");
        else
            _object = element;
    }

    public FieldErrors Errors { get; }

    public bool TryGet(string name, out JsonElement value)
    {
        value = default;
        return _object.ValueKind == JsonValueKind.Object && _object.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null;
    }

    /// <summary>The field's path in the whole body, as error messages name it.</summary>
    public string Path(string name) => _path + name;

    public string? Text(string name)
    {
        if (!TryGet(name, out JsonElement value)) return null;
        if (value.ValueKind == JsonValueKind.String) return value.GetString();
        Wrong(name, "a string", value);
        return null;
    }

    public bool? Flag(string name)
    {
        if (!TryGet(name, out JsonElement value)) return null;
        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False) return value.GetBoolean();
        Wrong(name, "true or false", value);
        return null;
    }

    public int? Integer(string name, int min, int max)
    {
        if (!TryGet(name, out JsonElement value)) return null;
        if (TryInteger(value, out long number) && number >= min && number <= max) return (int)number;
        Wrong(name, string.Create(CultureInfo.InvariantCulture, $"a whole number from {min} to {max}"), value);
        return null;
    }

    public float? Number(string name, double min, double max)
    {
        if (!TryGet(name, out JsonElement value)) return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number >= min && number <= max) return (float)number;
        Wrong(name, string.Create(CultureInfo.InvariantCulture, $"a number from {min} to {max}"), value);
        return null;
    }

    /// <summary>Any 64-bit whole number, signed or not.</summary>
    public ulong? Bits(string name)
    {
        if (!TryGet(name, out JsonElement value)) return null;
        if (TryInteger(value, out long number)) return unchecked((ulong)number);
        if (value.ValueKind == JsonValueKind.Number && value.TryGetUInt64(out ulong large)) return large;
        Wrong(name, "a 64-bit whole number", value);
        return null;
    }

    public bool TryArray(string name, int maxLength, out JsonElement array)
    {
        if (!TryGet(name, out array)) return false;
        if (array.ValueKind != JsonValueKind.Array) Wrong(name, "an array", array);
        else if (array.GetArrayLength() > maxLength) Errors.Invalid(Path(name), $"'{Path(name)}' has {array.GetArrayLength()} entries; at most {maxLength} are accepted.");
        else return true;
        return false;
    }

    public int[]? Integers(string name, int maxLength)
    {
        if (!TryArray(name, maxLength, out JsonElement array)) return null;
        return TryIntegers(array, Path(name), out int[]? values) ? values : null;
    }

    public bool TryIntegers(JsonElement array, string path, [NotNullWhen(true)] out int[]? values)
    {
        values = new int[array.GetArrayLength()];
        int i = 0;
        foreach (JsonElement item in array.EnumerateArray())
        {
            if (!TryInteger(item, out long number) || number is < 0 or > int.MaxValue)
            {
                Errors.Invalid($"{path}[{i}]", $"'{path}[{i}]' must be a token id, a whole number of at least 0; it is {Shown(item)}.");
                values = null;
                return false;
            }

            values[i++] = (int)number;
        }

        return true;
    }

    public void Wrong(string name, string expected, JsonElement value) =>
        Errors.Invalid(Path(name), $"'{Path(name)}' must be {expected}; it is {Shown(value)}.");

    public static string Shown(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object: return "an object";
            case JsonValueKind.Array: return "an array";
            default:
                string raw = value.GetRawText();
                return raw.Length <= ShownValue ? raw : raw[..ShownValue] + "…";
        }
    }

    /// <summary>1.0 is a whole number too, as JSON Schema has it.</summary>
    private static bool TryInteger(JsonElement value, out long number)
    {
        number = 0;
        if (value.ValueKind != JsonValueKind.Number) return false;
        if (value.TryGetInt64(out number)) return true;
        if (!value.TryGetDouble(out double real) || real != Math.Floor(real) || Math.Abs(real) > 1L << 53) return false;
        number = (long)real;
        return true;
    }
}
