using System.Text.Json;

namespace InferenceServer.Tests.Fakes;

/// <summary>As much of JSON Schema as OpenAI's and our own descriptions use for responses; says the first thing that is wrong.</summary>
internal sealed class SchemaChecker(JsonElement document)
{
    public static SchemaChecker OpenAI() => new(JsonDocument.Parse(File.ReadAllBytes(SharedData.PathOf("openapi/openai/openapi.json"))).RootElement);

    /// <param name="schema">A name under components/schemas.</param>
    /// <param name="value">Is checked.</param>
    public void AssertValid(string schema, JsonElement value)
    {
        string? problem = Check(document.GetProperty("components").GetProperty("schemas").GetProperty(schema), value, "$");
        Assert.True(problem is null, $"{schema}: {problem} in {value}");
    }

    private string? Check(JsonElement schema, JsonElement value, string path)
    {
        if (schema.TryGetProperty("$ref", out JsonElement reference)) schema = Resolve(reference.GetString()!);
        if (value.ValueKind == JsonValueKind.Null && schema.TryGetProperty("nullable", out JsonElement nullable) && nullable.GetBoolean()) return null;
        if (schema.TryGetProperty("enum", out JsonElement allowed) && !allowed.EnumerateArray().Any(a => JsonElement.DeepEquals(a, value))) return $"{path} is {value}";
        if (schema.TryGetProperty("const", out JsonElement constant) && !JsonElement.DeepEquals(constant, value)) return $"{path} is {value}";
        return CheckType(schema, value, path) ?? CheckAlternatives(schema, value, path) ?? CheckObject(schema, value, path) ?? CheckArray(schema, value, path);
    }

    private JsonElement Resolve(string reference)
    {
        JsonElement found = document;
        foreach (string part in reference.TrimStart('#', '/').Split('/')) found = found.GetProperty(part);
        return found;
    }

    private static string? CheckType(JsonElement schema, JsonElement value, string path)
    {
        if (!schema.TryGetProperty("type", out JsonElement type)) return null;
        IEnumerable<string?> types = type.ValueKind == JsonValueKind.Array ? type.EnumerateArray().Select(t => t.GetString()) : [type.GetString()];
        return types.Any(t => IsOf(t, value)) ? null : $"{path} is not {type}";
    }

    private static bool IsOf(string? type, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => type == "null",
        JsonValueKind.String => type == "string",
        JsonValueKind.Object => type == "object",
        JsonValueKind.Array => type == "array",
        JsonValueKind.Number => type == "number" || (type == "integer" && value.TryGetInt64(out _)),
        _ => type == "boolean",
    };

    private string? CheckAlternatives(JsonElement schema, JsonElement value, string path)
    {
        foreach (string word in new[] { "anyOf", "oneOf" })
        {
            if (!schema.TryGetProperty(word, out JsonElement any)) continue;
            List<string?> problems = [.. any.EnumerateArray().Select(s => Check(s, value, path))];
            if (problems.All(p => p is not null)) return string.Join(" and ", problems);
        }

        return schema.TryGetProperty("allOf", out JsonElement all) ? all.EnumerateArray().Select(s => Check(s, value, path)).FirstOrDefault(p => p is not null) : null;
    }

    private string? CheckObject(JsonElement schema, JsonElement value, string path)
    {
        if (value.ValueKind != JsonValueKind.Object) return null;
        if (schema.TryGetProperty("required", out JsonElement required))
        {
            foreach (JsonElement name in required.EnumerateArray())
            {
                if (!value.TryGetProperty(name.GetString()!, out _)) return $"{path}.{name} is missing";
            }
        }

        bool more = schema.TryGetProperty("additionalProperties", out JsonElement additional) && additional.ValueKind == JsonValueKind.Object;
        schema.TryGetProperty("properties", out JsonElement properties);
        foreach (JsonProperty property in value.EnumerateObject())
        {
            bool known = properties.ValueKind == JsonValueKind.Object && properties.TryGetProperty(property.Name, out additional);
            if ((known || more) && Check(additional, property.Value, $"{path}.{property.Name}") is { } problem) return problem;
            if (known) schema.TryGetProperty("additionalProperties", out additional);
        }

        return null;
    }

    private string? CheckArray(JsonElement schema, JsonElement value, string path)
    {
        if (value.ValueKind != JsonValueKind.Array || !schema.TryGetProperty("items", out JsonElement items)) return null;
        return value.EnumerateArray().Select((item, i) => Check(items, item, $"{path}[{i}]")).FirstOrDefault(p => p is not null);
    }
}
