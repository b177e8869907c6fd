using System.Collections.Frozen;
using System.Globalization;
using InferenceServer.Text.Templates.Syntax;
using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

internal delegate Value StringMethod(TemplateRun run, StringValue self, Arguments arguments);

/// <summary>The methods of Python's str. To add one: a line in the table, and a method below where it needs more.</summary>
internal static class StringMethods
{
    private static readonly FrozenDictionary<string, StringMethod> Methods = new Dictionary<string, StringMethod>(StringComparer.Ordinal)
    {
        ["strip"] = static (_, self, arguments) => Texts.Strip(self, arguments.Bind("strip", 0, "chars")[0], true, true),
        ["lstrip"] = static (_, self, arguments) => Texts.Strip(self, arguments.Bind("lstrip", 0, "chars")[0], true, false),
        ["rstrip"] = static (_, self, arguments) => Texts.Strip(self, arguments.Bind("rstrip", 0, "chars")[0], false, true),
        ["upper"] = static (_, self, _) => Texts.Upper(self),
        ["lower"] = static (_, self, _) => Texts.Lower(self),
        ["casefold"] = static (_, self, _) => Texts.Lower(self),
        ["title"] = static (_, self, _) => Texts.Title(self),
        ["capitalize"] = static (_, self, _) => Texts.Capitalize(self),
        ["swapcase"] = static (_, self, _) => self.Rewritten(string.Concat(self.Text.Select(c => char.IsUpper(c) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c)))),
        ["split"] = static (run, self, arguments) => SplitMethods.Split(run, self, arguments),
        ["rsplit"] = static (run, self, arguments) => SplitMethods.SplitFromEnd(run, self, arguments),
        ["splitlines"] = SplitMethods.SplitLines,
        ["partition"] = static (_, self, arguments) => SplitMethods.Partition(self, arguments, fromEnd: false),
        ["rpartition"] = static (_, self, arguments) => SplitMethods.Partition(self, arguments, fromEnd: true),
        ["startswith"] = static (_, self, arguments) => HasEdge(self, arguments, "startswith", static (text, edge) => text.StartsWith(edge)),
        ["endswith"] = static (_, self, arguments) => HasEdge(self, arguments, "endswith", static (text, edge) => text.EndsWith(edge)),
        ["removeprefix"] = static (_, self, arguments) => RemoveEdge(self, arguments, atStart: true),
        ["removesuffix"] = static (_, self, arguments) => RemoveEdge(self, arguments, atStart: false),
        ["replace"] = Replace,
        ["join"] = static (run, self, arguments) => Texts.Join(run, self, arguments.Bind("join", 1, "iterable")[0]!.Iterate().Select(Joinable)),
        ["find"] = static (_, self, arguments) => IntValue.Of(Find(self, arguments, "find", fromEnd: false)),
        ["rfind"] = static (_, self, arguments) => IntValue.Of(Find(self, arguments, "rfind", fromEnd: true)),
        ["index"] = static (_, self, arguments) => Found(Find(self, arguments, "index", fromEnd: false)),
        ["rindex"] = static (_, self, arguments) => Found(Find(self, arguments, "rindex", fromEnd: true)),
        ["count"] = Count,
        ["format"] = BraceFormat.Format,
        ["zfill"] = ZeroFill,
        ["center"] = static (_, self, arguments) => Pad(self, arguments, "center", '^'),
        ["ljust"] = static (_, self, arguments) => Pad(self, arguments, "ljust", '<'),
        ["rjust"] = static (_, self, arguments) => Pad(self, arguments, "rjust", '>'),
        ["isdigit"] = static (_, self, _) => All(self, static c => CharUnicodeInfo.GetDigitValue(c) >= 0),
        ["isdecimal"] = static (_, self, _) => All(self, char.IsDigit),
        ["isnumeric"] = static (_, self, _) => All(self, char.IsNumber),
        ["isalpha"] = static (_, self, _) => All(self, char.IsLetter),
        ["isalnum"] = static (_, self, _) => All(self, static c => char.IsLetter(c) || char.IsNumber(c)),
        ["isspace"] = static (_, self, _) => All(self, Whitespace.Is),
        ["isascii"] = static (_, self, _) => BoolValue.Of(self.Text.All(char.IsAscii)),
        ["isupper"] = static (_, self, _) => BoolValue.Of(IsUpper(self.Text)),
        ["islower"] = static (_, self, _) => BoolValue.Of(IsLower(self.Text)),
        ["istitle"] = static (_, self, _) => BoolValue.Of(self.Text.Any(char.IsLetter) && Texts.Title(self).Text == self.Text),
        ["isidentifier"] = static (_, self, _) => BoolValue.Of(IsIdentifier(self.Text)),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private delegate bool EdgeTest(ReadOnlySpan<char> text, ReadOnlySpan<char> edge);

    public static StringMethod? Find(string name) => Methods.GetValueOrDefault(name);

    public static bool IsUpper(string text) => text.Any(char.IsUpper) && !text.Any(char.IsLower);

    public static bool IsLower(string text) => text.Any(char.IsLower) && !text.Any(char.IsUpper);

    private static bool IsIdentifier(string text) =>
        text.Length > 0 && !char.IsDigit(text[0]) && text.All(static c => c == '_' || char.IsLetterOrDigit(c));

    private static BoolValue All(StringValue self, Func<char, bool> test) => BoolValue.Of(self.Text.Length > 0 && self.Text.All(test));

    private static StringValue Joinable(Value item) => item switch
    {
        StringValue text => text,
        UndefinedValue undefined => throw undefined.Fail(),
        _ => throw new TemplateError($"sequence item: expected str instance, {item.TypeName} found."),
    };

    private static BoolValue HasEdge(StringValue self, Arguments arguments, string name, EdgeTest test)
    {
        Value?[] bound = arguments.Bind(name, 1, "prefix", "start", "end");
        (int start, int length) = Window(self.Text, bound[1], bound[2]);
        if (start > self.Text.Length || length < 0) return BoolValue.False;
        IEnumerable<Value> edges = bound[0] is TupleValue several ? several.Items : [bound[0]!];
        foreach (Value edge in edges)
        {
            if (test(self.Text.AsSpan(start, length), Texts.Require(edge, name).Text)) return BoolValue.True;
        }
        return BoolValue.False;
    }

    private static StringValue RemoveEdge(StringValue self, Arguments arguments, bool atStart)
    {
        string edge = Texts.Require(arguments.Bind(atStart ? "removeprefix" : "removesuffix", 1, "edge")[0]!, "removeprefix").Text;
        bool has = atStart ? self.Text.StartsWith(edge, StringComparison.Ordinal) : self.Text.EndsWith(edge, StringComparison.Ordinal);
        return has ? self.Part(atStart ? edge.Length : 0, self.Text.Length - edge.Length) : self;
    }

    private static StringValue Replace(TemplateRun run, StringValue self, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("replace", 2, "old", "new", "count");
        StringValue old = Texts.Require(bound[0]!, "replace");
        StringValue replacement = Texts.Require(bound[1]!, "replace");
        if (self.IsMarkup) (old, replacement) = (TextFilters.Escape(old), TextFilters.Escape(replacement));
        return Texts.Replace(self, old, replacement, Texts.RequireInt(bound[2], -1, "replace")).AsMarkup(self.IsMarkup);
    }

    private static int Find(StringValue self, Arguments arguments, string name, bool fromEnd)
    {
        Value?[] bound = arguments.Bind(name, 1, "sub", "start", "end");
        string part = Texts.Require(bound[0]!, name).Text;
        (int start, int length) = Window(self.Text, bound[1], bound[2]);
        if (start > self.Text.Length || length < 0) return -1;
        ReadOnlySpan<char> window = self.Text.AsSpan(start, length);
        int at = fromEnd ? window.LastIndexOf(part) : window.IndexOf(part);
        return at < 0 ? -1 : CodePoints.IndexOf(self.Text, start + at);
    }

    private static IntValue Found(int index) => index >= 0 ? IntValue.Of(index) : throw new TemplateError("substring not found.");

    private static IntValue Count(TemplateRun run, StringValue self, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("count", 1, "sub", "start", "end");
        string part = Texts.Require(bound[0]!, "count").Text;
        (int start, int length) = Window(self.Text, bound[1], bound[2]);
        if (start > self.Text.Length || length < 0) return IntValue.Of(0);
        ReadOnlySpan<char> window = self.Text.AsSpan(start, length);
        return IntValue.Of(part.Length == 0 ? CodePoints.Count(window.ToString()) + 1 : window.Count(part));
    }

    private static StringValue ZeroFill(TemplateRun run, StringValue self, Arguments arguments)
    {
        int width = Texts.RequireInt(arguments.Bind("zfill", 1, "width")[0], 0, "zfill");
        int sign = self.Text.Length > 0 && self.Text[0] is '+' or '-' ? 1 : 0;
        var result = new TextBuilder();
        result.Append(self, 0, sign);
        result.Append(Texts.Pad(self.Part(sign, self.Text.Length - sign), width - sign, StringValue.Trusted("0"), '>'));
        return result.ToValue();
    }

    private static StringValue Pad(StringValue self, Arguments arguments, string name, char align)
    {
        Value?[] bound = arguments.Bind(name, 1, "width", "fillchar");
        StringValue fill = bound[1] is null ? StringValue.Trusted(" ") : Texts.Require(bound[1]!, name);
        if (fill.Length != 1) throw new TemplateError($"{name}() needs a fill of one character.");
        return Texts.Pad(self, Texts.RequireInt(bound[0], 0, name), fill, align);
    }

    /// <summary>Python's optional start and end, in UTF-16 units; the length is negative where they cross.</summary>
    private static (int Start, int Length) Window(string text, Value? start, Value? end)
    {
        if (start is null or NoneValue && end is null or NoneValue) return (0, text.Length);
        int count = CodePoints.Count(text);
        int from = start is null or NoneValue ? 0 : Texts.RequireInt(start, 0, "find");
        int to = end is null or NoneValue ? count : Texts.RequireInt(end, count, "find");
        if (from < 0) from = Math.Max(from + count, 0);
        if (to < 0) to = Math.Max(to + count, 0);
        to = Math.Min(to, count);
        if (from > to) return (text.Length, -1);
        int first = CodePoints.Offset(text, from);
        return (first, CodePoints.Offset(text, to) - first);
    }
}
