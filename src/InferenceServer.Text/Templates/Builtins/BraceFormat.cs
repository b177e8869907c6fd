using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>Python's str.format, with attributes and items looked up as the sandbox does it.</summary>
internal static class BraceFormat
{
    public static StringValue Format(TemplateRun run, StringValue format, Arguments arguments)
    {
        var result = new TextBuilder();
        string text = format.Text;
        int next = 0;
        for (int at = 0; at < text.Length;)
        {
            run.Charge(1);
            int brace = text.AsSpan(at).IndexOfAny('{', '}');
            brace = brace < 0 ? text.Length : brace + at;
            result.Append(format, at, brace - at);
            if (brace == text.Length) break;
            if (brace + 1 < text.Length && text[brace + 1] == text[brace])
            {
                result.Append(format, brace, 1);
                at = brace + 2;
                continue;
            }
            if (text[brace] == '}') throw new TemplateError("Single '}' encountered in format string.");
            at = FindClose(text, brace + 1) + 1;
            WriteField(text[(brace + 1)..(at - 1)], arguments, ref next, result);
        }
        return result.ToValue();
    }

    private static int FindClose(string text, int from)
    {
        int depth = 1;
        for (int i = from; i < text.Length; i++)
        {
            if (text[i] == '{') depth++;
            else if (text[i] == '}' && --depth == 0) return i;
        }
        throw new TemplateError("expected '}' before end of string.");
    }

    private static void WriteField(string field, Arguments arguments, ref int next, TextBuilder result)
    {
        int colon = field.IndexOf(':');
        string path = colon < 0 ? field : field[..colon];
        string spec = colon < 0 ? "" : field[(colon + 1)..];
        char conversion = '\0';
        if (path.Length >= 2 && path[^2] == '!') (conversion, path) = (path[^1], path[..^2]);
        Value value = Resolve(path, arguments, ref next);
        if (spec.Contains('{')) spec = Nested(spec, arguments, ref next);
        if (conversion == 'r')
        {
            var repr = new TextBuilder();
            value.WriteRepr(repr);
            value = repr.ToValue();
        }
        else if (conversion == 's')
        {
            value = value.ToText();
        }
        FormatSpec.Parse(spec).Write(value, result);
    }

    private static string Nested(string spec, Arguments arguments, ref int next)
    {
        var text = new System.Text.StringBuilder();
        for (int at = 0; at < spec.Length; at++)
        {
            int close = spec[at] == '{' ? spec.IndexOf('}', at) : -1;
            if (close < 0)
            {
                text.Append(spec[at]);
                continue;
            }
            text.Append(Resolve(spec[(at + 1)..close], arguments, ref next).ToText().Text);
            at = close;
        }
        return text.ToString();
    }

    private static Value Resolve(string path, Arguments arguments, ref int next)
    {
        int end = path.AsSpan().IndexOfAny('.', '[');
        string first = end < 0 ? path : path[..end];
        Value? value;
        if (first.Length == 0) value = arguments.Positional.ElementAtOrDefault(next++);
        else if (int.TryParse(first, out int index)) value = arguments.Positional.ElementAtOrDefault(index);
        else value = arguments.FindNamed(first);
        if (value is null) throw new TemplateError($"The format string asks for the argument '{(first.Length == 0 ? next - 1 : first)}', which is not given.");
        return end < 0 ? value : Walk(value, path[end..]);
    }

    private static Value Walk(Value value, string path)
    {
        while (path.Length > 0)
        {
            bool isItem = path[0] == '[';
            int end = isItem ? path.IndexOf(']') : path.AsSpan(1).IndexOfAny('.', '[') + 1;
            if (end <= 0) end = isItem ? throw new TemplateError("Missing ']' in format string.") : path.Length;
            string name = path[1..end];
            value = isItem && int.TryParse(name, out int index)
                ? Members.Item(value, IntValue.Of(index))
                : isItem ? Members.Item(value, StringValue.Trusted(name)) : Members.Attribute(value, StringValue.Trusted(name));
            path = path[(isItem ? end + 1 : end)..];
        }
        return value;
    }
}
