using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>Filters that take any value.</summary>
internal static class ValueFilters
{
    public static Value Default(TemplateRun run, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("default", 0, "default_value", "boolean");
        bool isMissing = value is UndefinedValue || (bound[1]?.IsTrue == true && !value.IsTrue);
        return isMissing ? bound[0] ?? StringValue.Empty : value;
    }

    public static Value Length(TemplateRun run, Value value, Arguments arguments) => value.Length is { } length
        ? IntValue.Of(length)
        : throw new TemplateError($"object of type '{value.TypeName}' has no len().");

    public static Value Attribute(TemplateRun run, Value value, Arguments arguments)
    {
        StringValue name = arguments.Bind("attr", 1, "name")[0]!.ToText();
        bool isInternal = name.Text.StartsWith("__", StringComparison.Ordinal);
        return (isInternal ? null : value.GetAttribute(name.Text)) ?? UndefinedValue.Member(value, name);
    }
}
