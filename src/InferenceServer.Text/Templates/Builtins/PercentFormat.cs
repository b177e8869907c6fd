using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>Python's <c>format % values</c>.</summary>
internal static class PercentFormat
{
    public static StringValue Format(TemplateRun run, StringValue format, Value values)
    {
        var arguments = new Queue<Value>(values is TupleValue tuple ? tuple.Items : [values]);
        bool isUsed = values is DictValue;
        var result = new TextBuilder();
        string text = format.Text;
        int at = 0;
        while (at < text.Length)
        {
            run.Charge(1);
            int percent = text.IndexOf('%', at);
            if (percent < 0) percent = text.Length;
            result.Append(format, at, percent - at);
            if (percent == text.Length) break;
            at = percent + 1;
            Value? named = ReadName(text, ref at, values);
            isUsed |= named is not null;
            FormatSpec spec = ReadSpec(text, ref at, arguments);
            if (spec.Kind == '%') result.Append(format, percent, 1);
            else Convert(spec, named ?? Take(arguments), result);
        }
        if (arguments.Count > 0 && !isUsed) throw new TemplateError("not all arguments converted during string formatting.");
        return result.ToValue();
    }

    private static Value Take(Queue<Value> arguments) =>
        arguments.TryDequeue(out Value? value) ? value : throw new TemplateError("not enough arguments for format string.");

    private static Value? ReadName(string text, ref int at, Value values)
    {
        if (at >= text.Length || text[at] != '(') return null;
        int close = text.IndexOf(')', at);
        if (close < 0) throw new TemplateError("incomplete format key.");
        if (values is not DictValue dict) throw new TemplateError("format requires a mapping.");
        string name = text[(at + 1)..close];
        at = close + 1;
        return dict.Get(name) ?? throw new TemplateError($"the mapping has no key '{name}'.");
    }

    private static FormatSpec ReadSpec(string text, ref int at, Queue<Value> arguments)
    {
        char align = '\0';
        char sign = '-';
        bool isAlternate = false;
        bool isZero = false;
        for (; at < text.Length && text[at] is '-' or '+' or ' ' or '#' or '0'; at++)
        {
            if (text[at] == '-') align = '<';
            else if (text[at] == '#') isAlternate = true;
            else if (text[at] == '0') isZero = true;
            else if (sign != '+') sign = text[at];
        }
        int width = ReadSize(text, ref at, arguments) ?? 0;
        int precision = -1;
        if (at < text.Length && text[at] == '.')
        {
            at++;
            precision = ReadSize(text, ref at, arguments) ?? 0;
        }
        if (at >= text.Length) throw new TemplateError("incomplete format.");
        bool isZeroFilled = isZero && align == '\0' && text[at] is not ('s' or 'r' or 'a' or 'c');
        return new FormatSpec
        {
            Fill = isZeroFilled ? "0" : " ",
            Align = isZeroFilled ? '=' : align == '\0' ? '>' : align,
            Sign = sign,
            IsAlternate = isAlternate,
            Width = width,
            Precision = precision,
            Kind = text[at++],
        };
    }

    private static int? ReadSize(string text, ref int at, Queue<Value> arguments)
    {
        if (at >= text.Length || text[at] != '*') return FormatSpec.ReadNumber(text, ref at);
        at++;
        return Math.Clamp(Texts.RequireInt(Take(arguments), 0, "%"), 0, 10_000);
    }

    private static void Convert(FormatSpec spec, Value value, TextBuilder result)
    {
        if (spec.Kind is 'r' or 'a')
        {
            var repr = new TextBuilder();
            value.WriteRepr(repr);
            (spec with { Kind = 's' }).Write(repr.ToValue(), result);
        }
        else if (spec.Kind == 'c' && value is StringValue { Length: 1 })
        {
            (spec with { Kind = 's' }).Write(value, result);
        }
        else if (spec.Kind is 's' || Operators.IsNumber(value))
        {
            bool isWhole = spec.Kind is 'd' or 'i' or 'u' && value is FloatValue number && double.IsFinite(number.Number);
            spec.Write(isWhole ? IntValue.Of(new System.Numerics.BigInteger(((FloatValue)value).Number)) : value, result);
        }
        else
        {
            throw value is UndefinedValue undefined ? undefined.Fail() : new TemplateError($"%{spec.Kind} format: a number is required, not {value.TypeName}.");
        }
    }
}
