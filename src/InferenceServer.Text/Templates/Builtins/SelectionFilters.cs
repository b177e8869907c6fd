using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>map, select, reject and their attr twins. Jinja's are lazy; these compute at once and answer what can be walked once.</summary>
internal static class SelectionFilters
{
    public static Value Map(TemplateRun run, Value value, Arguments arguments)
    {
        Value[] items = SequenceFilters.Items(run, value);
        if (arguments.Positional.Length == 0 && arguments.FindNamed("attribute") is { } attribute)
            return MapAttribute(items, attribute, arguments);
        if (arguments.Positional.Length == 0) throw new TemplateError("map requires a filter argument.");
        string name = arguments.Positional[0].ToText().Text;
        Filter filter = Filters.Find(name) ?? throw new TemplateError($"No filter named '{name}' found.");
        Arguments rest = arguments.Skip(1);
        var mapped = new Value[items.Length];
        for (int i = 0; i < items.Length; i++)
        {
            run.Step();
            mapped[i] = filter(run, items[i], rest);
            run.Charge(mapped[i]);
        }
        return new GeneratorValue("generator", mapped);
    }

    public static Value Select(TemplateRun run, Value value, Arguments arguments, bool wanted, bool byAttribute)
    {
        Value[] items = SequenceFilters.Items(run, value);
        Value? attribute = null;
        if (byAttribute)
        {
            if (arguments.Positional.Length == 0) throw new TemplateError("Missing parameter for attribute name.");
            attribute = arguments.Positional[0];
            arguments = arguments.Skip(1);
        }
        Test test = static (_, item, _) => item.IsTrue;
        if (arguments.Positional.Length > 0)
        {
            string name = arguments.Positional[0].ToText().Text;
            test = Tests.Find(name) ?? throw new TemplateError($"No test named '{name}' found.");
            arguments = arguments.Skip(1);
        }
        var selected = new List<Value>();
        foreach (Value item in items)
        {
            run.Step();
            if (test(run, attribute is null ? item : Members.Path(item, attribute), arguments) == wanted) selected.Add(item);
        }
        return new GeneratorValue("generator", selected);
    }

    private static GeneratorValue MapAttribute(Value[] items, Value attribute, Arguments arguments)
    {
        Value? missing = arguments.FindNamed("default");
        foreach ((string name, _) in arguments.Named)
        {
            if (name is not ("attribute" or "default")) throw new TemplateError($"Unexpected keyword argument '{name}'.");
        }
        Value[] mapped = [.. items.Select(item => Members.Path(item, attribute) is var found && found is UndefinedValue && missing is not null ? missing : found)];
        return new GeneratorValue("generator", mapped);
    }
}
