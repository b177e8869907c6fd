namespace InferenceServer.Text.Templates.Values;

/// <summary>Jinja's namespace(): the one thing whose attributes a template may set. Lives in one render.</summary>
internal sealed class NamespaceValue : Value
{
    private readonly Dictionary<string, Value> _attributes = new(StringComparer.Ordinal);

    public override string TypeName => "Namespace";

    public override Value? GetAttribute(string name) => _attributes.GetValueOrDefault(name);

    public void Set(string name, Value value) => _attributes[name] = value;

    public override void WriteRepr(TextBuilder text)
    {
        TemplateLimits.CheckStack();
        text.Append("<Namespace ");
        new DictValue(_attributes.Select(pair => new KeyValuePair<Value, Value>(StringValue.User(pair.Key), pair.Value))).WriteRepr(text);
        text.Append('>');
    }

    public override int Hash() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
}

/// <summary>Jinja's cycler(a, b, …).</summary>
internal sealed class CyclerValue(Value[] items) : Value
{
    private int _position;

    public override string TypeName => "Cycler";

    public override Value? GetAttribute(string name) => name switch
    {
        "current" => items[_position],
        "next" => new FunctionValue(name, (_, _) => Next()),
        "reset" => new FunctionValue(name, (_, _) => Reset()),
        _ => null,
    };

    private Value Next()
    {
        Value current = items[_position];
        _position = (_position + 1) % items.Length;
        return current;
    }

    private NoneValue Reset()
    {
        _position = 0;
        return NoneValue.Instance;
    }
}

/// <summary>Jinja's joiner(separator): nothing at the first call, the separator afterwards.</summary>
internal sealed class JoinerValue(Value separator) : Value
{
    private bool _used;

    public override string TypeName => "Joiner";

    public override bool IsCallable => true;

    public override Value Call(TemplateRun run, Arguments arguments)
    {
        if (_used) return separator;
        _used = true;
        return StringValue.Empty;
    }
}
