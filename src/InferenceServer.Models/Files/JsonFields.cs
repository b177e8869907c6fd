using System.Text.Json;

namespace InferenceServer.Models.Files;

/// <summary>
/// Reads typed fields of a JSON object and says in a sentence which file and field is wrong. A field that is null counts as absent.
/// Immutable; the element must come from a document that is never disposed (a clone).
/// </summary>
internal readonly struct JsonFields
{
    /// <summary>Real ones are a few KB; a tokenizer_config.json with thousands of added tokens some MB.</summary>
    private const long MaxFileBytes = 64 << 20;

    private readonly string _file;
    private readonly string _path;

    private JsonFields(JsonElement element, string file, string path)
    {
        Element = element;
        _file = file;
        _path = path;
    }

    public JsonElement Element { get; }

    /// <exception cref="ModelLoadException">Missing, too big, not JSON, or not an object.</exception>
    public static JsonFields ReadFile(string path, bool refuseDuplicates = false)
    {
        byte[] bytes;
        try
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            if (stream.Length > MaxFileBytes)
                throw new ModelLoadException($"'{path}' has {stream.Length} bytes; at most {MaxFileBytes} are read as JSON.");
            bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelLoadException($"'{path}' cannot be read: {e.Message}", e);
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(
                bytes.AsMemory(), new JsonDocumentOptions { MaxDepth = 64, AllowDuplicateProperties = !refuseDuplicates });
            JsonElement root = document.RootElement.Clone();
            if (root.ValueKind != JsonValueKind.Object) throw new ModelLoadException($"'{path}' holds a JSON {root.ValueKind}; expected an object.");
            return new JsonFields(root, path, "");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException is how a name that is not UTF-8 is reported.
            throw new ModelLoadException($"'{path}' is not valid JSON: {e.Message}", e);
        }
    }

    /// <summary>Null for a path that is not there.</summary>
    public static JsonFields? ReadFileIfExists(string path) => File.Exists(path) ? ReadFile(path) : null;

    /// <summary>Names of all fields.</summary>
    public List<string> Names()
    {
        List<string> names = [];
        try
        {
            foreach (JsonProperty property in Element.EnumerateObject()) names.Add(property.Name);
        }
        catch (InvalidOperationException e)
        {
            throw new ModelLoadException($"'{_file}': a field's name in '{_path}' is not valid UTF-8.", e);
        }

        return names;
    }

    /// <summary>Is the field written at all, even as null?</summary>
    public bool IsWritten(string name) => Element.TryGetProperty(name, out _);

    public bool Has(string name) => Find(name, out _);

    public JsonFields Object(string name) => ObjectOrNull(name) ?? throw Missing(name, "an object");

    public JsonFields? ObjectOrNull(string name)
    {
        if (!Find(name, out JsonElement value)) return null;
        if (value.ValueKind != JsonValueKind.Object) throw Wrong(name, "an object");
        return new JsonFields(value, _file, _path + name + ".");
    }

    public string Text(string name) => TextOrNull(name) ?? throw Missing(name, "a text");

    public string? TextOrNull(string name)
    {
        if (!Find(name, out JsonElement value)) return null;
        return value.ValueKind == JsonValueKind.String ? AsText(value, name) : throw Wrong(name, "a text");
    }

    public int Int(string name, int min, int max) => IntOrNull(name, min, max) ?? throw Missing(name, $"a whole number from {min} to {max}");

    public int? IntOrNull(string name, int min, int max) => (int?)LongOrNull(name, min, max);

    public long? LongOrNull(string name, long min, long max)
    {
        if (!Find(name, out JsonElement value)) return null;
        return AsLong(value, name, min, max);
    }

    public double Number(string name, double min, double max) => NumberOrNull(name, min, max) ?? throw Missing(name, $"a number from {min} to {max}");

    public double? NumberOrNull(string name, double min, double max)
    {
        if (!Find(name, out JsonElement value)) return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number >= min && number <= max) return number;
        throw Wrong(name, $"a number from {min} to {max}");
    }

    public bool? BoolOrNull(string name)
    {
        if (!Find(name, out JsonElement value)) return null;
        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Wrong(name, "true or false"),
        };
    }

    /// <summary>A whole number or a list of them; null if absent.</summary>
    public IReadOnlyList<int>? IntsOrNull(string name, int min, int max)
    {
        if (!Find(name, out JsonElement value)) return null;
        if (value.ValueKind == JsonValueKind.Number) return [(int)AsLong(value, name, min, max)];
        if (value.ValueKind != JsonValueKind.Array) throw Wrong(name, "a whole number or a list of them");
        List<int> numbers = [];
        foreach (JsonElement item in value.EnumerateArray()) numbers.Add((int)AsLong(item, name, min, max));
        return numbers;
    }

    public IReadOnlyList<string>? TextsOrNull(string name)
    {
        if (!Find(name, out JsonElement value)) return null;
        if (value.ValueKind != JsonValueKind.Array) throw Wrong(name, "a list of texts");
        List<string> texts = [];
        foreach (JsonElement item in value.EnumerateArray())
            texts.Add(item.ValueKind == JsonValueKind.String ? AsText(item, name) : throw Wrong(name, "a list of texts"));
        return texts;
    }

    /// <summary>The objects of a list; empty if absent.</summary>
    public IReadOnlyList<JsonFields> Objects(string name)
    {
        if (!Find(name, out JsonElement value)) return [];
        if (value.ValueKind != JsonValueKind.Array) throw Wrong(name, "a list of objects");
        List<JsonFields> objects = [];
        foreach (JsonElement item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Object) throw Wrong(name, "a list of objects");
            objects.Add(new JsonFields(item, _file, $"{_path}{name}[{objects.Count}]."));
        }

        return objects;
    }

    /// <summary>Refuses fields that are not in the list.</summary>
    public void RefuseOthers(params ReadOnlySpan<string> known)
    {
        foreach (string name in Names())
            if (!known.Contains(name))
                throw new ModelLoadException($"'{_file}' has the unknown field '{_path}{name}'; expected only {string.Join(", ", known!)}.");
    }

    /// <summary>An error about a field in this file.</summary>
    public ModelLoadException Wrong(string name, string expected) =>
        new($"'{_file}': field '{_path}{name}' is {Shown(name)}; expected {expected}.");

    private ModelLoadException Missing(string name, string expected) => new($"'{_file}' lacks the field '{_path}{name}'; expected {expected}.");

    private bool Find(string name, out JsonElement value) => Element.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null;

    private long AsLong(JsonElement value, string name, long min, long max)
    {
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) && number >= min && number <= max) return number;
        throw Wrong(name, $"a whole number from {min} to {max}");
    }

    private string AsText(JsonElement value, string name)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new ModelLoadException($"'{_file}': field '{_path}{name}' is not valid UTF-8.", e);
        }
    }

    private string Shown(string name)
    {
        if (!Element.TryGetProperty(name, out JsonElement value)) return "absent";
        string raw = value.GetRawText();
        return raw.Length <= 60 ? raw : raw[..60] + "…";
    }
}
