using System.Text;
using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>Filters over dicts.</summary>
internal static class MappingFilters
{
    public static Value Items(TemplateRun run, Value value, Arguments arguments) => new GeneratorValue("generator", Pairs(run, value));

    private static IEnumerable<Value> Pairs(TemplateRun run, Value value)
    {
        if (value is UndefinedValue) yield break;
        if (value is not DictValue dict) throw new TemplateError("Can only get item pairs from a mapping.");
        foreach (Value pair in dict.Pairs())
        {
            run.Charge(1);
            yield return pair;
        }
    }

    public static Value DictSort(TemplateRun run, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("dictsort", 0, "case_sensitive", "by", "reverse");
        if (value is not DictValue dict) throw new TemplateError($"'{value.TypeName} object' has no attribute 'items'.");
        int part = (bound[1]?.ToText().Text ?? "key") switch
        {
            "key" => 0,
            "value" => 1,
            _ => throw new TemplateError("You can only sort by either 'key' or 'value'."),
        };
        bool ignoreCase = bound[0]?.IsTrue != true;
        run.Charge(dict.Entries.Count * 8);
        return new ListValue(Sorting.Sort(dict.Pairs(), Key, bound[2]?.IsTrue == true));

        Value Key(Value pair) => ((TupleValue)pair).Items[part] is var key && ignoreCase && key is StringValue ? Sorting.Fold(key) : key;
    }

    public static Value UrlEncode(TemplateRun run, Value value, Arguments arguments)
    {
        if (value is not (DictValue or SequenceValue)) return Quote(value.ToText(), "/", "%20");
        IEnumerable<Value> pairs = value is DictValue dict ? dict.Pairs() : ((SequenceValue)value).Items;
        var parts = new List<StringValue>();
        foreach (Value pair in pairs)
        {
            Value[] two = [.. pair.Iterate()];
            if (two.Length != 2) throw new TemplateError("urlencode() needs pairs of a key and a value.");
            parts.Add(Texts.Join(run, StringValue.Trusted("="), [Quote(two[0].ToText(), "", "+"), Quote(two[1].ToText(), "", "+")]));
        }
        return Texts.Join(run, StringValue.Trusted("&"), parts);
    }

    private static StringValue Quote(StringValue value, string safe, string space)
    {
        var quoted = new StringBuilder();
        foreach (byte unit in Encoding.UTF8.GetBytes(value.Text))
        {
            char character = (char)unit;
            if (char.IsAsciiLetterOrDigit(character) || "_.-~".Contains(character) || safe.Contains(character)) quoted.Append(character);
            else if (character == ' ') quoted.Append(space);
            else quoted.Append('%').Append(unit.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }
        return value.Remade(quoted.ToString());
    }
}
