using InferenceServer.Text.Templates.Syntax;
using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>The methods of Python's str that take it apart.</summary>
internal static class SplitMethods
{
    public static ListValue Split(TemplateRun run, StringValue self, Arguments arguments)
    {
        (string? separator, int limit) = Bind(arguments, "split");
        var parts = new List<Value>();
        string text = self.Text;
        int at = separator is null ? SkipSpace(text, 0) : 0;
        while (separator is not null || at < text.Length)
        {
            int end = parts.Count >= limit ? -1 : separator is null ? FindSpace(text, at) : text.IndexOf(separator, at, StringComparison.Ordinal);
            if (end < 0)
            {
                parts.Add(self.Part(at, text.Length - at));
                break;
            }
            parts.Add(self.Part(at, end - at));
            at = separator is null ? SkipSpace(text, end) : end + separator.Length;
        }
        return ToList(run, parts);
    }

    public static ListValue SplitFromEnd(TemplateRun run, StringValue self, Arguments arguments)
    {
        (string? separator, int limit) = Bind(arguments, "rsplit");
        var parts = new List<Value>();
        string text = self.Text;
        int end = separator is null ? SkipSpaceBack(text, text.Length) : text.Length;
        while (separator is not null || end > 0)
        {
            (int from, int before) = parts.Count >= limit ? (-1, 0) : FindBack(text, end, separator);
            if (from < 0)
            {
                parts.Add(self.Part(0, end));
                break;
            }
            parts.Add(self.Part(from, end - from));
            end = separator is null ? SkipSpaceBack(text, before) : before;
        }
        parts.Reverse();
        return ToList(run, parts);
    }

    public static Value SplitLines(TemplateRun run, StringValue self, Arguments arguments)
    {
        bool keepEnds = arguments.Bind("splitlines", 0, "keepends")[0]?.IsTrue ?? false;
        return ToList(run, [.. Texts.SplitLines(self, keepEnds)]);
    }

    public static TupleValue Partition(StringValue self, Arguments arguments, bool fromEnd)
    {
        StringValue separator = Texts.Require(arguments.Bind("partition", 1, "sep")[0]!, "partition");
        if (separator.Text.Length == 0) throw new TemplateError("empty separator.");
        int at = fromEnd
            ? self.Text.LastIndexOf(separator.Text, StringComparison.Ordinal)
            : self.Text.IndexOf(separator.Text, StringComparison.Ordinal);
        if (at < 0)
            return fromEnd ? new TupleValue([StringValue.Empty, StringValue.Empty, self]) : new TupleValue([self, StringValue.Empty, StringValue.Empty]);
        int after = at + separator.Text.Length;
        return new TupleValue([self.Part(0, at), self.Part(at, separator.Text.Length), self.Part(after, self.Text.Length - after)]);
    }

    private static (string? Separator, int Limit) Bind(Arguments arguments, string name)
    {
        Value?[] bound = arguments.Bind(name, 0, "sep", "maxsplit");
        string? separator = bound[0] is null or NoneValue ? null : Texts.Require(bound[0]!, name).Text;
        if (separator?.Length == 0) throw new TemplateError("empty separator.");
        int limit = Texts.RequireInt(bound[1], -1, name);
        return (separator, limit < 0 ? int.MaxValue : limit);
    }

    private static ListValue ToList(TemplateRun run, List<Value> parts)
    {
        run.Charge(parts.Count);
        return new ListValue([.. parts]);
    }

    /// <summary>The start of the last part before <paramref name="end"/> and the end of what is left of its separator.</summary>
    private static (int From, int Before) FindBack(string text, int end, string? separator)
    {
        if (separator is not null)
        {
            int found = text.AsSpan(0, end).LastIndexOf(separator);
            return found < 0 ? (-1, 0) : (found + separator.Length, found);
        }
        int from = end;
        while (from > 0 && !Whitespace.Is(text[from - 1])) from--;
        return from == 0 ? (-1, 0) : (from, from);
    }

    private static int SkipSpace(string text, int at)
    {
        while (at < text.Length && Whitespace.Is(text[at])) at++;
        return at;
    }

    private static int SkipSpaceBack(string text, int end)
    {
        while (end > 0 && Whitespace.Is(text[end - 1])) end--;
        return end;
    }

    private static int FindSpace(string text, int at)
    {
        while (at < text.Length && !Whitespace.Is(text[at])) at++;
        return at < text.Length ? at : -1;
    }
}
