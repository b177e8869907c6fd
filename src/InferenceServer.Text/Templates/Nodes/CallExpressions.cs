using InferenceServer.Text.Templates.Builtins;
using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Nodes;

internal enum ArgumentKind
{
    Positional,
    Named,
    Sequence,
    Mapping,
}

internal readonly record struct Argument(ArgumentKind Kind, string? Name, Expression Value);

/// <summary>The arguments of a call as written: plain, named, *spread and **spread.</summary>
internal sealed class ArgumentList(Argument[] arguments)
{
    public static readonly ArgumentList None = new([]);

    public Arguments Evaluate(TemplateRun run, Value? caller = null)
    {
        if (arguments.Length == 0 && caller is null) return Arguments.None;
        var positional = new List<Value>(arguments.Length);
        var named = new List<KeyValuePair<string, Value>>();
        foreach (Argument argument in arguments)
        {
            Value value = argument.Value.Evaluate(run);
            if (argument.Kind == ArgumentKind.Positional) positional.Add(value);
            else if (argument.Kind == ArgumentKind.Named) named.Add(new(argument.Name!, value));
            else if (argument.Kind == ArgumentKind.Sequence) positional.AddRange(value.Iterate());
            else Spread(value, named);
        }
        run.Charge(positional.Count + named.Count);
        if (caller is not null) named.Add(new("caller", caller));
        return new Arguments([.. positional], [.. named]);
    }

    private static void Spread(Value value, List<KeyValuePair<string, Value>> named)
    {
        if (value is not DictValue dict) throw new TemplateError($"argument after ** must be a mapping, not {value.TypeName}.");
        foreach ((Value key, Value item) in dict.Entries)
        {
            if (key is not StringValue name) throw new TemplateError("keywords must be strings.");
            named.Add(new(name.Text, item));
        }
    }
}

internal sealed class CallExpression(int line, Expression target, ArgumentList arguments) : Expression
{
    public override Value Evaluate(TemplateRun run) => Evaluate(run, null);

    /// <summary>The call of a call block brings a caller.</summary>
    public Value Evaluate(TemplateRun run, Value? caller)
    {
        run.Step();
        Value callee = target.Evaluate(run);
        Arguments evaluated = arguments.Evaluate(run, caller);
        run.Line = line;
        Value result = callee.Call(run, evaluated);
        run.Charge(result);
        return result;
    }
}

/// <summary>One filter of a chain.</summary>
internal sealed class FilterCall(int line, string name, ArgumentList arguments)
{
    private readonly Filter? _filter = Filters.Find(name);

    public Value Apply(TemplateRun run, Value value)
    {
        run.Step();
        Arguments evaluated = arguments.Evaluate(run);
        run.Line = line;
        if (_filter is null) throw new TemplateError($"No filter named '{name}' found.");
        if (value is StringValue) run.Charge(value);
        Value result = _filter(run, value, evaluated);
        run.Charge(result);
        return result;
    }
}

internal sealed class FilterExpression(Expression target, FilterCall[] filters) : Expression
{
    public override Value Evaluate(TemplateRun run)
    {
        run.Step();
        Value value = target.Evaluate(run);
        foreach (FilterCall filter in filters) value = filter.Apply(run, value);
        return value;
    }
}

internal sealed class TestExpression(int line, Expression target, string name, ArgumentList arguments) : Expression
{
    private readonly Test? _test = Tests.Find(name);

    public override Value Evaluate(TemplateRun run)
    {
        run.Step();
        Value value = target.Evaluate(run);
        Arguments evaluated = arguments.Evaluate(run);
        run.Line = line;
        if (_test is null) throw new TemplateError($"No test named '{name}' found.");
        return BoolValue.Of(_test(run, value, evaluated));
    }
}
