using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>Python's json.dumps as Hugging Face's tojson calls it: no HTML escapes, non-ASCII as it is unless asked.</summary>
internal sealed class JsonText(TextBuilder text, bool isAscii, string? indent, StringValue itemSeparator, StringValue keySeparator, bool sortKeys)
{
    public static StringValue Filter(TemplateRun run, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
        string? indent = Indent(bound[1]);
        StringValue itemSeparator = StringValue.Trusted(indent is null ? ", " : ",");
        StringValue keySeparator = StringValue.Trusted(": ");
        if (bound[2] is not (null or NoneValue))
        {
            Value[] two = [.. bound[2]!.Iterate()];
            if (two.Length != 2) throw new TemplateError("tojson() needs two separators.");
            (itemSeparator, keySeparator) = (Texts.Require(two[0], "tojson"), Texts.Require(two[1], "tojson"));
        }
        run.Charge(value);
        var text = new TextBuilder();
        new JsonText(text, bound[0]?.IsTrue ?? false, indent, itemSeparator, keySeparator, bound[3]?.IsTrue ?? false).Write(value, 0);
        return text.ToValue();
    }

    private static string? Indent(Value? indent)
    {
        if (indent is null or NoneValue) return null;
        if (indent is StringValue { IsTrusted: true } text) return text.Text;
        return new string(' ', Math.Clamp(Texts.RequireInt(indent, 0, "tojson"), 0, 100));
    }

    private void Write(Value value, int depth)
    {
        switch (value)
        {
            case StringValue content: WriteString(content); break;
            case NoneValue: text.Append("null"); break;
            case BoolValue: text.Append(value.IsTrue ? "true" : "false"); break;
            case IntValue: value.WriteText(text); break;
            case FloatValue number: text.Append(Number(number.Number)); break;
            case ListValue or TupleValue: WriteList(((SequenceValue)value).Items, depth + 1); break;
            case DictValue dict: WriteDict(dict, depth + 1); break;
            default: throw new TemplateError($"Object of type {value.TypeName} is not JSON serializable.");
        }
    }

    private static string Number(double number) =>
        double.IsNaN(number) ? "NaN" : double.IsInfinity(number) ? (number > 0 ? "Infinity" : "-Infinity") : NumberText.Repr(number);

    private void WriteList(Value[] items, int depth)
    {
        text.Append('[');
        for (int i = 0; i < items.Length; i++)
        {
            if (i > 0) text.Append(itemSeparator);
            BreakLine(depth);
            Write(items[i], depth);
        }
        if (items.Length > 0) BreakLine(depth - 1);
        text.Append(']');
    }

    private void WriteDict(DictValue dict, int depth)
    {
        IEnumerable<KeyValuePair<Value, Value>> entries = dict.Entries;
        if (sortKeys) entries = Sorting.Sort(dict.Entries, entry => entry.Key, isReversed: false);
        text.Append('{');
        bool isFirst = true;
        foreach ((Value key, Value value) in entries)
        {
            if (!isFirst) text.Append(itemSeparator);
            isFirst = false;
            BreakLine(depth);
            WriteString(Key(key));
            text.Append(keySeparator);
            Write(value, depth);
        }
        if (!isFirst) BreakLine(depth - 1);
        text.Append('}');
    }

    private static StringValue Key(Value key) => key switch
    {
        StringValue name => name,
        NoneValue => StringValue.Trusted("null"),
        BoolValue => StringValue.Trusted(key.IsTrue ? "true" : "false"),
        FloatValue number => StringValue.Trusted(Number(number.Number)),
        IntValue => key.ToText(),
        _ => throw new TemplateError($"keys must be str, int, float, bool or None, not {key.TypeName}."),
    };

    private void BreakLine(int depth)
    {
        if (indent is null) return;
        text.Append('\n');
        for (int i = 0; i < depth; i++) text.Append(indent);
    }

    private void WriteString(StringValue value)
    {
        string source = value.Text;
        text.Append('"');
        int plainFrom = 0;
        for (int i = 0; i < source.Length; i++)
        {
            char unit = source[i];
            if (unit is >= ' ' and not ('"' or '\\') && (!isAscii || unit < '\x7f')) continue;
            text.Append(value, plainFrom, i - plainFrom);
            text.Append(Escape(unit), value.IsUserAt(i));
            plainFrom = i + 1;
        }
        text.Append(value, plainFrom, source.Length - plainFrom);
        text.Append('"');
    }

    private static string Escape(char unit) => unit switch
    {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\f' => "\\f",
        '\b' => "\\b",
        _ => $"\\u{(int)unit:x4}",
    };
}
