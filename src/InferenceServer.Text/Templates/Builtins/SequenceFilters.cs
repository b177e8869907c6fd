using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>Filters over things that can be walked.</summary>
internal static class SequenceFilters
{
    public static Value First(TemplateRun run, Value value, Arguments arguments) =>
        value.Iterate().FirstOrDefault() ?? new UndefinedValue("No first item, sequence was empty.");

    public static Value Last(TemplateRun run, Value value, Arguments arguments)
    {
        if (value is GeneratorValue) throw new TemplateError($"'{value.TypeName}' object is not reversible.");
        return value.Iterate().LastOrDefault() ?? new UndefinedValue("No last item, sequence was empty.");
    }

    public static Value List(TemplateRun run, Value value, Arguments arguments) => new ListValue(Items(run, value));

    public static Value Reverse(TemplateRun run, Value value, Arguments arguments)
    {
        if (!value.IsIterable) throw new TemplateError("argument must be iterable.");
        Value[] items = [.. Items(run, value).Reverse()];
        return value is StringValue
            ? Texts.Join(run, StringValue.Empty, items.Cast<StringValue>())
            : new GeneratorValue("list_reverseiterator", items);
    }

    public static Value Join(TemplateRun run, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("join", 0, "d", "attribute");
        Value? attribute = bound[1] is null or NoneValue ? null : bound[1];
        IEnumerable<Value> items = Items(run, value);
        if (attribute is not null) items = items.Select(item => Members.Path(item, attribute));
        return Texts.Join(run, bound[0]?.ToText() ?? StringValue.Empty, items.Select(item => item.ToText()));
    }

    public static Value Sort(TemplateRun run, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("sort", 0, "reverse", "case_sensitive", "attribute");
        Value[] items = Items(run, value);
        run.Charge(items.Length * 8);
        return new ListValue(Sorting.Sort(items, Sorting.Key(bound[2], bound[1]), bound[0]?.IsTrue == true));
    }

    public static Value Unique(TemplateRun run, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("unique", 0, "case_sensitive", "attribute");
        Func<Value, Value> key = Sorting.Key(bound[1], bound[0]);
        var seen = new HashSet<Value>(ValueComparer.Instance);
        return new GeneratorValue("generator", value.Iterate().Where(item => IsNew(run, seen, key(item))));
    }

    /// <summary>min and max: the first of the least or greatest.</summary>
    public static Value Extreme(TemplateRun run, Value value, Arguments arguments, string name, int direction)
    {
        Value?[] bound = arguments.Bind(name, 0, "case_sensitive", "attribute");
        Func<Value, Value> key = Sorting.Key(bound[1], bound[0]);
        Value? best = null;
        foreach (Value item in Items(run, value))
        {
            if (best is null || Comparison.Compare(key(item), key(best), "<") * direction > 0) best = item;
        }
        return best ?? new UndefinedValue("No aggregated item, sequence was empty.");
    }

    public static Value GroupBy(TemplateRun run, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("groupby", 1, "attribute", "default", "case_sensitive");
        Func<Value, Value> key = item => Members.Path(item, bound[0]!) is var found && found is UndefinedValue && bound[1] is not null ? bound[1]! : found;
        Func<Value, Value> folded = item => bound[2]?.IsTrue == true ? key(item) : Sorting.Fold(key(item));
        Value[] sorted = Sorting.Sort(Items(run, value), folded, isReversed: false);
        run.Charge(sorted.Length * 8);
        var groups = new List<Value>();
        for (int start = 0, end; start < sorted.Length; start = end)
        {
            end = start + 1;
            while (end < sorted.Length && folded(sorted[end]).IsEqualTo(folded(sorted[start]))) end++;
            groups.Add(new GroupValue(key(sorted[start]), new ListValue(sorted[start..end])));
        }
        return new ListValue([.. groups]);
    }

    public static Value Batch(TemplateRun run, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("batch", 1, "linecount", "fill_with");
        int size = Texts.RequireInt(bound[0], 1, "batch");
        if (size < 1) throw new TemplateError("batch() needs a size of at least 1.");
        Value[] items = Items(run, value);
        var batches = new List<Value>();
        for (int start = 0; start < items.Length; start += size)
        {
            IEnumerable<Value> batch = items.Skip(start).Take(size);
            int missing = size - Math.Min(size, items.Length - start);
            if (bound[1] is not (null or NoneValue)) batch = batch.Concat(Fill(run, bound[1]!, missing));
            batches.Add(new ListValue([.. batch]));
        }
        return new GeneratorValue("generator", batches);
    }

    public static Value Slice(TemplateRun run, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("slice", 1, "slices", "fill_with");
        int slices = Texts.RequireInt(bound[0], 1, "slice");
        if (slices is < 1 or > TemplateLimits.Range) throw new TemplateError("slice() needs a number of slices from 1 to 100000.");
        Value[] items = Items(run, value);
        run.Charge(slices);
        int each = items.Length / slices;
        int longer = items.Length % slices;
        var parts = new List<Value>(slices);
        int at = 0;
        for (int i = 0; i < slices; i++)
        {
            int length = each + (i < longer ? 1 : 0);
            IEnumerable<Value> part = items[at..(at + length)];
            if (bound[1] is not (null or NoneValue) && i >= longer) part = part.Append(bound[1]!);
            parts.Add(new ListValue([.. part]));
            at += length;
        }
        return new GeneratorValue("generator", parts);
    }

    /// <summary>All items; the walk is charged.</summary>
    public static Value[] Items(TemplateRun run, Value value)
    {
        Value[] items = value is SequenceValue sequence ? sequence.Items : [.. value.Iterate()];
        run.Charge(items.Length);
        return items;
    }

    private static bool IsNew(TemplateRun run, HashSet<Value> seen, Value key)
    {
        run.Charge(1);
        return seen.Add(key);
    }

    private static IEnumerable<Value> Fill(TemplateRun run, Value value, int count)
    {
        run.Charge(count);
        return Enumerable.Repeat(value, count);
    }
}
