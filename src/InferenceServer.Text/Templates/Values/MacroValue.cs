using InferenceServer.Text.Templates.Nodes;

namespace InferenceServer.Text.Templates.Values;

/// <summary>A macro together with the scope it was defined in. Lives in one render.</summary>
internal sealed class MacroValue(MacroBody macro, Scope closure) : Value
{
    public override string TypeName => "Macro";

    public override bool IsCallable => true;

    public override Value? GetAttribute(string name) => name switch
    {
        "name" => StringValue.Trusted(macro.Name),
        "arguments" => new TupleValue([.. macro.Parameters.Select(parameter => StringValue.Trusted(parameter.Name))]),
        "catch_varargs" => BoolValue.Of(macro.UsesVarargs),
        "catch_kwargs" => BoolValue.Of(macro.UsesKwargs),
        "caller" => BoolValue.Of(macro.UsesCaller),
        _ => null,
    };

    public override Value Call(TemplateRun run, Arguments arguments)
    {
        run.EnterCall();
        var scope = new Scope(closure);
        Bind(run, scope, arguments);
        run.Capture(macro.Body, scope, out StringValue text);
        run.LeaveCall();
        return text;
    }

    public override void WriteRepr(TextBuilder text) => text.Append($"<Macro '{macro.Name}'>");

    private void Bind(TemplateRun run, Scope scope, Arguments arguments)
    {
        Value[] positional = arguments.Positional;
        int parameters = macro.Parameters.Length;
        if (positional.Length > parameters && !macro.UsesVarargs)
            throw new TemplateError($"macro '{macro.Name}' takes not more than {parameters} argument(s).");
        var named = arguments.Named.ToList();
        Scope outer = run.Scope;
        run.Scope = scope; // defaults see the parameters before them
        for (int i = 0; i < parameters; i++)
        {
            MacroParameter parameter = macro.Parameters[i];
            Value? given = i < positional.Length ? positional[i] : Take(named, parameter.Name);
            scope.Set(parameter.Name, given ?? parameter.Default?.Evaluate(run)
                ?? new UndefinedValue($"parameter '{parameter.Name}' was not provided."));
        }
        run.Scope = outer;
        BindSpecial(scope, positional, named);
    }

    private void BindSpecial(Scope scope, Value[] positional, List<KeyValuePair<string, Value>> named)
    {
        if (macro.UsesCaller) scope.Set("caller", Take(named, "caller") ?? new UndefinedValue("No caller defined."));
        if (macro.UsesVarargs) scope.Set("varargs", new TupleValue(positional[Math.Min(positional.Length, macro.Parameters.Length)..]));
        if (macro.UsesKwargs)
            // A name may come from a spread dict, so it counts as a user's.
            scope.Set("kwargs", new DictValue(named.Select(pair => new KeyValuePair<Value, Value>(StringValue.User(pair.Key), pair.Value))));
        else if (named.Count > 0)
            throw new TemplateError($"macro '{macro.Name}' takes no keyword argument '{named[0].Key}'.");
    }

    private static Value? Take(List<KeyValuePair<string, Value>> named, string name)
    {
        int at = named.FindIndex(pair => pair.Key == name);
        if (at < 0) return null;
        Value value = named[at].Value;
        named.RemoveAt(at);
        return value;
    }
}
