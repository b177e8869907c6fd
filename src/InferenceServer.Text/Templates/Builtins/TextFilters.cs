using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>Filters over text; like Jinja's they take anything and turn it into text first.</summary>
internal static class TextFilters
{
    public static Value Trim(TemplateRun run, Value value, Arguments arguments) =>
        Texts.Strip(value.ToText(), arguments.Bind("trim", 0, "chars")[0], left: true, right: true);

    /// <summary>Jinja's title, unlike Python's, starts a word only behind a space, a hyphen or an opening bracket.</summary>
    public static StringValue Title(StringValue value)
    {
        char[] text = value.Text.ToCharArray();
        bool startsWord = true;
        for (int i = 0; i < text.Length; i++)
        {
            text[i] = startsWord ? char.ToUpperInvariant(text[i]) : char.ToLowerInvariant(text[i]);
            startsWord = char.IsWhiteSpace(text[i]) || "-({[<".Contains(text[i]);
        }
        return value.Rewritten(new string(text));
    }

    public static Value Replace(TemplateRun run, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("replace", 2, "old", "new", "count");
        int count = bound[2] is NoneValue ? -1 : Texts.RequireInt(bound[2], -1, "replace");
        return Texts.Replace(value.ToText().AsMarkup(false), bound[0]!.ToText(), bound[1]!.ToText(), count);
    }

    public static Value Indent(TemplateRun run, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("indent", 0, "width", "first", "blank");
        StringValue indent = bound[0] as StringValue
            ?? (StringValue)Operators.Multiply(run, StringValue.Trusted(" "), IntValue.Of(Texts.RequireInt(bound[0], 4, "indent")));
        bool indentFirst = bound[1]?.IsTrue == true;
        bool indentBlank = bound[2]?.IsTrue == true;
        StringValue source = value.ToText();
        List<StringValue> lines = Texts.SplitLines(source, keepEnds: false);
        // Jinja appends a newline first, so a text that ends with one keeps an empty last line.
        if (source.Text.Length == 0 || lines.Count == 0 || "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029".Contains(source.Text[^1])) lines.Add(StringValue.Empty);
        var text = new TextBuilder();
        if (indentFirst) text.Append(indent);
        for (int i = 0; i < lines.Count; i++)
        {
            run.Charge(1);
            if (i > 0) text.Append('\n');
            if (i > 0 && (indentBlank || lines[i].Text.Length > 0)) text.Append(indent);
            text.Append(lines[i]);
        }
        return text.ToValue();
    }

    public static Value Format(TemplateRun run, Value value, Arguments arguments)
    {
        if (arguments.Named.Length > 0 && arguments.Positional.Length > 0)
            throw new TemplateError("can't handle positional and keyword arguments at the same time.");
        Value values = arguments.Named.Length > 0
            ? new DictValue(arguments.Named.Select(pair => new KeyValuePair<Value, Value>(StringValue.User(pair.Key), pair.Value)))
            : new TupleValue(arguments.Positional);
        return PercentFormat.Format(run, value.ToText(), values);
    }

    public static Value Center(TemplateRun run, Value value, Arguments arguments) =>
        Texts.Pad(value.ToText(), Texts.RequireInt(arguments.Bind("center", 0, "width")[0], 80, "center"), StringValue.Trusted(" "), '^');

    public static Value Truncate(TemplateRun run, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("truncate", 0, "length", "killwords", "end", "leeway");
        StringValue text = value.ToText();
        StringValue end = bound[2]?.ToText() ?? StringValue.Trusted("...");
        int length = Texts.RequireInt(bound[0], 255, "truncate");
        int leeway = bound[3] is NoneValue ? 5 : Texts.RequireInt(bound[3], 5, "truncate");
        int endLength = CodePoints.Count(end.Text);
        if (length < endLength || leeway < 0) throw new TemplateError("truncate() needs a length that holds its end mark.");
        if (CodePoints.Count(text.Text) <= (long)length + leeway) return text;
        StringValue head = text.Part(0, CodePoints.Offset(text.Text, length - endLength));
        int space = bound[1]?.IsTrue == true ? -1 : head.Text.LastIndexOf(' ');
        return Texts.Join(run, StringValue.Empty, [space < 0 ? head : head.Part(0, space), end]);
    }

    public static Value WordCount(TemplateRun run, Value value, Arguments arguments)
    {
        int count = 0;
        bool insideWord = false;
        foreach (char character in value.ToText().Text)
        {
            bool isWord = character == '_' || char.IsLetterOrDigit(character);
            if (isWord && !insideWord) count++;
            insideWord = isWord;
        }
        return IntValue.Of(count);
    }

    /// <summary>HTML's five, as markup; markup is left alone.</summary>
    public static StringValue Escape(StringValue value) => value.IsMarkup ? value : ForceEscape(value);

    public static StringValue ForceEscape(StringValue value)
    {
        var text = new TextBuilder();
        int plainFrom = 0;
        for (int i = 0; i < value.Text.Length; i++)
        {
            string? escape = value.Text[i] switch { '&' => "&amp;", '<' => "&lt;", '>' => "&gt;", '\'' => "&#39;", '"' => "&#34;", _ => null };
            if (escape is null) continue;
            text.Append(value, plainFrom, i - plainFrom);
            text.Append(escape, value.IsUserAt(i));
            plainFrom = i + 1;
        }
        text.Append(value, plainFrom, value.Text.Length - plainFrom);
        return text.ToValue().AsMarkup(true);
    }
}
