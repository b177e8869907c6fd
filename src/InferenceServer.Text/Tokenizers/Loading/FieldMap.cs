using System.Text.Json;

namespace InferenceServer.Text.Tokenizers.Loading;

/// <summary>The fields of an object whose big ones were read by another hand.</summary>
internal sealed class FieldMap(string path)
{
    private readonly Dictionary<string, JsonElement> _fields = new(StringComparer.Ordinal);

    /// <summary>A field; null-like if it is absent.</summary>
    public JsonField this[string name] => new(_fields.GetValueOrDefault(name), path.Length == 0 ? name : $"{path}.{name}");

    public void Add(string name, JsonElement value) => _fields[name] = value;
}
