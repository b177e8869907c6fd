using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>Jinja's two ways to reach into a value. Names with two leading underscores lead into Python itself and are withheld.</summary>
internal static class Members
{
    public static Value Attribute(Value owner, StringValue name) =>
        Named(owner, name.Text) ?? owner.GetItem(name) ?? UndefinedValue.Member(owner, name);

    public static Value Item(Value owner, Value key) =>
        owner.GetItem(key) ?? (key is StringValue name ? Named(owner, name.Text) : null) ?? UndefinedValue.Member(owner, key);

    /// <summary>An attribute path such as <c>function.name</c> or <c>0.role</c>, as map, sort and selectattr take it.</summary>
    public static Value Path(Value owner, Value path)
    {
        if (path is not StringValue text) return Item(owner, path);
        foreach (string part in text.Text.Split('.'))
        {
            Value key = int.TryParse(part, out int index) && index >= 0 ? IntValue.Of(index) : StringValue.Trusted(part);
            owner = Item(owner, key);
        }
        return owner;
    }

    private static Value? Named(Value owner, string name) => name.StartsWith("__", StringComparison.Ordinal) && owner is not UndefinedValue
        ? null
        : owner.GetAttribute(name);
}
