using System.Text.Json;

namespace InferenceServer.Text.Tokenizers.Loading;

/// <summary>A JSON value that knows its place in the file, so that every complaint names the field.</summary>
internal readonly struct JsonField(JsonElement value, string path)
{
    public JsonElement Value => value;

    public string Path => path;

    public bool IsNull => value.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined;

    /// <summary>The component's "type".</summary>
    public string Type => Required("type").AsString();

    /// <summary>A field of this object; null-like if it is absent.</summary>
    public JsonField this[string name]
    {
        get
        {
            if (value.ValueKind != JsonValueKind.Object)
                throw Expected("an object");
            return new JsonField(value.TryGetProperty(name, out JsonElement child) ? child : default, $"{path}.{name}");
        }
    }

    public JsonField Required(string name)
    {
        JsonField field = this[name];
        return field.IsNull ? throw new InvalidDataException($"\"{path}\" lacks \"{name}\".") : field;
    }

    public string AsString() => value.ValueKind == JsonValueKind.String ? Text(value) : throw Expected("a string");

    public string StringOr(string fallback) => IsNull ? fallback : AsString();

    public bool BoolOr(bool fallback) => value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => IsNull ? fallback : throw Expected("true or false"),
    };

    /// <summary>A number from 0 to 2^31 - 1.</summary>
    public int AsInt() => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= 0
        ? number
        : throw Expected("a whole number from 0 to 2147483647");

    /// <summary>A string of one UTF-16 unit.</summary>
    public char CharOr(char fallback)
    {
        string text = StringOr(fallback.ToString());
        return text.Length == 1 ? text[0] : throw Expected("a single character");
    }

    public List<JsonField> Items()
    {
        if (value.ValueKind != JsonValueKind.Array)
            throw Expected("an array");
        List<JsonField> items = new(value.GetArrayLength());
        foreach (JsonElement item in value.EnumerateArray())
            items.Add(new JsonField(item, $"{path}[{items.Count}]"));
        return items;
    }

    public InvalidDataException Expected(string what) => new($"\"{path}\" is {Shown()}; expected {what}.");

    private string Shown()
    {
        if (IsNull)
            return "absent";
        string raw = value.GetRawText();
        return raw.Length <= 60 ? raw : raw[..60] + "…";
    }

    private string Text(JsonElement element)
    {
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException e) // an escaped lone surrogate
        {
            throw new InvalidDataException($"\"{path}\" holds text that is not valid Unicode.", e);
        }
    }
}
