using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>Python's sorted: stable, also in reverse.</summary>
internal static class Sorting
{
    public static T[] Sort<T>(IEnumerable<T> items, Func<T, Value> key, bool isReversed)
    {
        var order = Comparer<Value>.Create(static (a, b) => Comparison.Compare(a, b, "<") ?? 0);
        try
        {
            // LINQ's sorts are stable in both directions.
            return isReversed ? [.. items.OrderByDescending(key, order)] : [.. items.OrderBy(key, order)];
        }
        catch (InvalidOperationException error) when (error.InnerException is TemplateError inner)
        {
            throw new TemplateError(inner.Message);
        }
    }

    /// <summary>The sort key of sort, unique, min and max: an attribute perhaps, in small letters unless case matters.</summary>
    public static Func<Value, Value> Key(Value? attribute, Value? caseSensitive)
    {
        bool ignoreCase = caseSensitive?.IsTrue != true;
        return item =>
        {
            Value value = attribute is null or NoneValue ? item : Attributes(item, attribute);
            return ignoreCase ? Fold(value) : value;
        };
    }

    public static Value Fold(Value value) => value switch
    {
        StringValue text => Texts.Lower(text),
        ListValue { Items.Length: > 0 } list when list.Items.All(item => item is StringValue) => new ListValue([.. list.Items.Select(Fold)]),
        _ => value,
    };

    private static Value Attributes(Value item, Value attribute)
    {
        if (attribute is not StringValue text || !text.Text.Contains(',')) return Members.Path(item, attribute);
        return new ListValue([.. text.Text.Split(',').Select(part => Members.Path(item, StringValue.Trusted(part)))]);
    }
}
