namespace InferenceServer.Text.Templates.Values;

/// <summary>The variable <c>loop</c> of a for statement. Lives in one run of that loop.</summary>
internal sealed class LoopValue(Value[] items, int depth, Func<TemplateRun, Value, Value>? recurse) : Value
{
    private Value? _lastChanged;

    /// <summary>Set by the for statement before each turn.</summary>
    public int Index { get; set; }

    public override string TypeName => "LoopContext";

    public override int? Length => items.Length;

    public override bool IsCallable => recurse is not null;

    public override Value? GetAttribute(string name) => name switch
    {
        "index" => IntValue.Of(Index + 1),
        "index0" => IntValue.Of(Index),
        "revindex" => IntValue.Of(items.Length - Index),
        "revindex0" => IntValue.Of(items.Length - Index - 1),
        "first" => BoolValue.Of(Index == 0),
        "last" => BoolValue.Of(Index == items.Length - 1),
        "length" => IntValue.Of(items.Length),
        "depth" => IntValue.Of(depth + 1),
        "depth0" => IntValue.Of(depth),
        "previtem" => Index > 0 ? items[Index - 1] : new UndefinedValue("there is no previous item."),
        "nextitem" => Index + 1 < items.Length ? items[Index + 1] : new UndefinedValue("there is no next item."),
        "cycle" => new FunctionValue(name, (_, arguments) => Cycle(arguments.Positional)),
        "changed" => new FunctionValue(name, (_, arguments) => Changed(arguments.Positional)),
        _ => null,
    };

    public override Value Call(TemplateRun run, Arguments arguments)
    {
        if (recurse is null) throw new TemplateError("The loop must have the 'recursive' marker to be called.");
        return recurse(run, arguments.Bind("loop", 1, "iterable")[0]!);
    }

    private Value Cycle(Value[] values) =>
        values.Length > 0 ? values[Index % values.Length] : throw new TemplateError("no items for cycling given.");

    private BoolValue Changed(Value[] values)
    {
        var current = new TupleValue(values);
        bool changed = _lastChanged is null || !_lastChanged.IsEqualTo(current);
        _lastChanged = current;
        return BoolValue.Of(changed);
    }
}
