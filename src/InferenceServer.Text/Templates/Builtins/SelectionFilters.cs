using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>map, select, reject and their attr twins. Lazy as Jinja's: what is never walked never fails, and nothing comes from what is false.</summary>
internal static class SelectionFilters
{
    public static Value Map(TemplateRun run, Value value, Arguments arguments) =>
        new GeneratorValue("generator", value.IsTrue ? MapItems(run, value, arguments) : []);

    public static Value Select(TemplateRun run, Value value, Arguments arguments, bool wanted, bool byAttribute) =>
        new GeneratorValue("generator", value.IsTrue ? SelectItems(run, value, arguments, wanted, byAttribute) : []);

    private static IEnumerable<Value> MapItems(TemplateRun run, Value value, Arguments arguments)
    {
        Func<Value, Value> map = Mapping(run, arguments);
        foreach (Value item in value.Iterate())
        {
            run.Step();
            Value mapped = map(item);
            run.Charge(mapped);
            yield return mapped;
        }
    }

    private static Func<Value, Value> Mapping(TemplateRun run, Arguments arguments)
    {
        if (arguments.Positional.Length == 0 && arguments.FindNamed("attribute") is { } attribute)
        {
            Value? missing = arguments.FindNamed("default");
            return item => Members.Path(item, attribute) is var found && found is UndefinedValue && missing is not null ? missing : found;
        }
        if (arguments.Positional.Length == 0) throw new TemplateError("map requires a filter argument.");
        string name = arguments.Positional[0].ToText().Text;
        Filter filter = Filters.Find(name) ?? throw new TemplateError($"No filter named '{name}' found.");
        Arguments rest = arguments.Skip(1);
        return item => filter(run, item, rest);
    }

    private static IEnumerable<Value> SelectItems(TemplateRun run, Value value, Arguments arguments, bool wanted, bool byAttribute)
    {
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
        foreach (Value item in value.Iterate())
        {
            run.Step();
            if (test(run, attribute is null ? item : Members.Path(item, attribute), arguments) == wanted) yield return item;
        }
    }
}
