using System.Buffers.Binary;
using System.Globalization;

namespace InferenceServer.Models.Files.Gguf;

/// <summary>
/// The keys and values of a GGUF header. Getters check type and range, and say in a sentence which file and key is wrong.
/// Thread-safe to read while the file is open.
/// </summary>
internal sealed class GgufMetadata(MappedFile file, IReadOnlyDictionary<string, GgufValue> values)
{
    /// <summary>Chat templates are some KB; the longest known some 30.</summary>
    private const int MaxTextBytes = 16 << 20;

    public string Path => file.Path;

    public bool Has(string key) => values.ContainsKey(key);

    public string Text(string key) => TextOrNull(key) ?? throw Missing(key, "a text");

    public string? TextOrNull(string key) => Scalar(key) is not { } value ? null
        : value.Type == GgufValueType.Text ? TextAt(key, value.Offset) : throw Wrong(key, "a text");

    public int Int(string key, int min, int max) => IntOrNull(key, min, max) ?? throw Missing(key, $"a whole number from {min} to {max}");

    public int? IntOrNull(string key, int min, int max) => (int?)LongOrNull(key, min, max);

    public long? LongOrNull(string key, long min, long max)
    {
        if (Scalar(key) is not { } value) return null;
        return IntegerAt(value) is { } number && number >= min && number <= max ? (long)number : throw Wrong(key, $"a whole number from {min} to {max}");
    }

    public double Number(string key, double min, double max) => NumberOrNull(key, min, max) ?? throw Missing(key, $"a number from {min} to {max}");

    public double? NumberOrNull(string key, double min, double max)
    {
        if (Scalar(key) is not { } value) return null;
        return NumberAt(value) is { } number && number >= min && number <= max ? number : throw Wrong(key, $"a number from {min} to {max}");
    }

    public bool? BoolOrNull(string key)
    {
        if (Scalar(key) is not { } value) return null;
        return value.Type == GgufValueType.Bool ? file.Bytes(value.Offset, 1)[0] != 0 : throw Wrong(key, "true or false");
    }

    public IReadOnlyList<string>? TextsOrNull(string key, int maxCount)
    {
        if (Array(key, GgufValueType.Text, maxCount, "texts") is not { } value) return null;
        string[] texts = new string[value.Count]; // each has its length in the file, so the file is larger than this
        GgufCursor cursor = new(file, value.Offset);
        for (int i = 0; i < texts.Length; i++) texts[i] = cursor.Text($"item {i} of '{key}'", MaxTextBytes);
        return texts;
    }

    public IReadOnlyList<float>? FloatsOrNull(string key, int maxCount)
    {
        if (Array(key, GgufValueType.Float32, maxCount, "32-bit floats") is not { } value) return null;
        float[] numbers = new float[value.Count];
        ReadOnlySpan<byte> bytes = file.Bytes(value.Offset, numbers.Length * sizeof(float));
        for (int i = 0; i < numbers.Length; i++) numbers[i] = BinaryPrimitives.ReadSingleLittleEndian(bytes[(i * sizeof(float))..]);
        return numbers;
    }

    public IReadOnlyList<int>? IntsOrNull(string key, int maxCount)
    {
        if (Array(key, GgufValueType.Int32, maxCount, "32-bit whole numbers") is not { } value) return null;
        int[] numbers = new int[value.Count];
        ReadOnlySpan<byte> bytes = file.Bytes(value.Offset, numbers.Length * sizeof(int));
        for (int i = 0; i < numbers.Length; i++) numbers[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes[(i * sizeof(int))..]);
        return numbers;
    }

    /// <summary>Is the value 0 or false?</summary>
    public bool IsIdle(string key) => values[key] is { IsArray: false } value
        && (value.Type == GgufValueType.Bool ? file.Bytes(value.Offset, 1)[0] == 0 : value.Type != GgufValueType.Text && NumberAt(value) == 0);

    /// <summary>An error about a key of this file.</summary>
    public ModelLoadException Wrong(string key, string expected) => new($"'{Path}': key '{key}' is {Shown(key)}; expected {expected}.");

    private ModelLoadException Missing(string key, string expected) => new($"'{Path}' lacks the key '{key}'; expected {expected}.");

    private GgufValue? Scalar(string key) => !values.TryGetValue(key, out GgufValue value) ? null
        : value.IsArray ? throw Wrong(key, "one value") : value;

    private GgufValue? Array(string key, GgufValueType type, int maxCount, string items)
    {
        if (!values.TryGetValue(key, out GgufValue value)) return null;
        return value.IsArray && value.Type == type && value.Count <= maxCount ? value : throw Wrong(key, $"a list of at most {maxCount} {items}");
    }

    private string TextAt(string key, long offset) => new GgufCursor(file, offset).Text($"key '{key}'", MaxTextBytes);

    /// <summary>Null if it is no whole number.</summary>
    private Int128? IntegerAt(GgufValue value)
    {
        ReadOnlySpan<byte> bytes = file.Bytes(value.Offset, value.Type.Bytes());
        return value.Type switch
        {
            GgufValueType.UInt8 => bytes[0],
            GgufValueType.Int8 => (sbyte)bytes[0],
            GgufValueType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            GgufValueType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(bytes),
            GgufValueType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            GgufValueType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
            GgufValueType.UInt64 => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
            GgufValueType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
            _ => null,
        };
    }

    private double? NumberAt(GgufValue value) => value.Type switch
    {
        GgufValueType.Float32 => BinaryPrimitives.ReadSingleLittleEndian(file.Bytes(value.Offset, sizeof(float))),
        GgufValueType.Float64 => BinaryPrimitives.ReadDoubleLittleEndian(file.Bytes(value.Offset, sizeof(double))),
        _ => (double?)IntegerAt(value),
    };

    private string Shown(string key)
    {
        if (!values.TryGetValue(key, out GgufValue value)) return "absent";
        if (value.IsArray) return $"a list of {value.Count} items of type {value.Type}";
        if (value.Type == GgufValueType.Text) return TextAt(key, value.Offset) is { Length: <= 60 } text ? $"\"{text}\"" : "a long text";
        if (value.Type == GgufValueType.Bool) return file.Bytes(value.Offset, 1)[0] != 0 ? "true" : "false";
        return IntegerAt(value) is { } whole ? whole.ToString(CultureInfo.InvariantCulture) : NumberAt(value)!.Value.ToString(CultureInfo.InvariantCulture);
    }
}
