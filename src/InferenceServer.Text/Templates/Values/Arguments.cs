namespace InferenceServer.Text.Templates.Values;

/// <summary>The arguments of one call.</summary>
internal sealed class Arguments(Value[] positional, KeyValuePair<string, Value>[] named)
{
    public static readonly Arguments None = new([], []);

    public Value[] Positional => positional;

    public KeyValuePair<string, Value>[] Named => named;

    public static Arguments Of(params Value[] positional) => new(positional, []);

    public Value? FindNamed(string name)
    {
        foreach (KeyValuePair<string, Value> argument in named)
        {
            if (argument.Key == name) return argument.Value;
        }
        return null;
    }

    /// <summary>Places the arguments at parameters, Python's way; what was not given is null.</summary>
    /// <exception cref="TemplateError">Too many, too few, unknown or given twice.</exception>
    public Value?[] Bind(string owner, int required, params ReadOnlySpan<string> parameters)
    {
        if (positional.Length > parameters.Length)
            throw new TemplateError($"{owner}() takes at most {parameters.Length} arguments ({positional.Length} given).");
        var bound = new Value?[parameters.Length];
        positional.CopyTo(bound, 0);
        foreach ((string name, Value value) in named)
        {
            int at = parameters.IndexOf(name);
            if (at < 0) throw new TemplateError($"{owner}() got an unexpected keyword argument '{name}'.");
            if (bound[at] is not null) throw new TemplateError($"{owner}() got multiple values for argument '{name}'.");
            bound[at] = value;
        }
        for (int i = 0; i < required; i++)
        {
            if (bound[i] is null) throw new TemplateError($"{owner}() is missing the argument '{parameters[i]}'.");
        }
        return bound;
    }

    /// <summary>These arguments behind others: how map and select hand theirs on.</summary>
    public Arguments Skip(int count) => new(positional[Math.Min(count, positional.Length)..], named);
}
