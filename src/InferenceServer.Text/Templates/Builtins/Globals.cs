using System.Numerics;
using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>Jinja's global functions and the two that Hugging Face adds.</summary>
internal static class Globals
{
    private static readonly Dictionary<string, Value> Functions = new (string Name, Builtin Body)[]
    {
        ("range", Range),
        ("dict", Dict),
        ("namespace", Namespace),
        ("cycler", Cycler),
        ("joiner", Joiner),
        ("raise_exception", RaiseException),
        ("strftime_now", StrftimeNow),
    }.ToDictionary(function => function.Name, Value (function) => new FunctionValue(function.Name, function.Body), StringComparer.Ordinal);

    public static Value? Find(string name) => Functions.GetValueOrDefault(name);

    private static RangeValue Range(TemplateRun run, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("range", 1, "start", "stop", "step");
        foreach (Value? argument in bound)
        {
            if (argument is not (null or IntValue or BoolValue)) throw new TemplateError($"'{argument.TypeName}' object cannot be interpreted as an integer.");
        }
        BigInteger start = bound[1] is null ? 0 : Operators.ToInteger(bound[0]!);
        BigInteger stop = Operators.ToInteger(bound[1] ?? bound[0]!);
        BigInteger step = bound[2] is null ? 1 : Operators.ToInteger(bound[2]!);
        if (step.IsZero) throw new TemplateError("range() arg 3 must not be zero.");
        BigInteger count = step.Sign > 0 ? (stop - start + step - 1) / step : (start - stop - step - 1) / -step;
        if (count > TemplateLimits.Range) throw new TemplateError($"Range too big. The sandbox blocks ranges larger than {TemplateLimits.Range}.");
        var items = new Value[(int)BigInteger.Max(count, 0)];
        run.Charge(items.Length);
        for (int i = 0; i < items.Length; i++) items[i] = IntValue.Of(start + (step * i));
        return new RangeValue(items, step.IsOne ? $"range({start}, {stop})" : $"range({start}, {stop}, {step})");
    }

    private static DictValue Dict(TemplateRun run, Arguments arguments)
    {
        var entries = new List<KeyValuePair<Value, Value>>();
        if (arguments.Positional.Length > 1) throw new TemplateError("dict expected at most 1 argument.");
        if (arguments.Positional is [DictValue dict])
        {
            entries.AddRange(dict.Entries);
        }
        else if (arguments.Positional is [var pairs])
        {
            foreach (Value pair in pairs.Iterate())
            {
                Value[] two = [.. pair.Iterate()];
                if (two.Length != 2) throw new TemplateError("dict() needs pairs of a key and a value.");
                entries.Add(new(two[0], two[1]));
            }
        }
        // A name may come from a spread dict, so it counts as a user's.
        foreach ((string name, Value value) in arguments.Named) entries.Add(new(StringValue.User(name), value));
        run.Charge(entries.Count);
        return new DictValue(entries);
    }

    private static NamespaceValue Namespace(TemplateRun run, Arguments arguments)
    {
        var space = new NamespaceValue();
        foreach ((Value key, Value value) in Dict(run, arguments).Entries)
        {
            if (key is not StringValue name) throw new TemplateError("namespace() needs names that are strings.");
            space.Set(name.Text, value);
        }
        return space;
    }

    private static CyclerValue Cycler(TemplateRun run, Arguments arguments) =>
        arguments.Positional.Length > 0 ? new CyclerValue(arguments.Positional) : throw new TemplateError("at least one item has to be provided.");

    private static JoinerValue Joiner(TemplateRun run, Arguments arguments) =>
        new(arguments.Bind("joiner", 0, "sep")[0] ?? StringValue.Trusted(", "));

    private static Value RaiseException(TemplateRun run, Arguments arguments) =>
        throw new TemplateError(arguments.Bind("raise_exception", 1, "message")[0]!.ToText().Text);

    private static StringValue StrftimeNow(TemplateRun run, Arguments arguments)
    {
        StringValue format = Texts.Require(arguments.Bind("strftime_now", 1, "format")[0]!, "strftime_now");
        return format.Remade(TimeFormat.Format(run.Now, format.Text));
    }
}
