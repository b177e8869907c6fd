namespace InferenceServer.Text.Templates.Values;

/// <summary>What dict.items(), keys() and values() answer: can be walked and counted, not indexed.</summary>
internal sealed class DictViewValue(string typeName, Value[] items) : Value
{
    public override string TypeName => typeName;

    public override bool IsTrue => items.Length > 0;

    public override int? Length => items.Length;

    public override bool IsIterable => true;

    public override IEnumerable<Value> Iterate() => items;

    public override void WriteRepr(TextBuilder text)
    {
        text.Append($"{typeName}(");
        new ListValue(items).WriteRepr(text);
        text.Append(')');
    }

    public override bool IsEqualTo(Value other) =>
        other is DictViewValue view && typeName != "dict_values" && view.TypeName == typeName && view.Length == items.Length
        && view.Iterate().All(item => items.Any(item.IsEqualTo));
}

/// <summary>What lazy filters answer: can be walked once, and is always true. Lives in one render.</summary>
internal sealed class GeneratorValue(string typeName, IEnumerable<Value> items) : Value
{
    private readonly IEnumerator<Value> _items = items.GetEnumerator();

    public override string TypeName => typeName;

    public override bool IsIterable => true;

    public override IEnumerable<Value> Iterate()
    {
        // Generators over generators recurse here.
        while (HasNext()) yield return _items.Current;
    }

    public override int Hash() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

    private bool HasNext()
    {
        TemplateLimits.CheckStack();
        return _items.MoveNext();
    }
}
