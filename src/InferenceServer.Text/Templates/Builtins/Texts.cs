using InferenceServer.Text.Templates.Syntax;
using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

/// <summary>Python's string functions that methods and filters share. All keep track of who wrote what.</summary>
internal static class Texts
{
    public static StringValue Require(Value value, string owner) => value switch
    {
        StringValue text => text,
        UndefinedValue undefined => throw undefined.Fail(),
        _ => throw new TemplateError($"{owner}() needs a str, not {value.TypeName}."),
    };

    public static int RequireInt(Value? value, int missing, string owner)
    {
        if (value is null) return missing;
        if (value is UndefinedValue undefined) throw undefined.Fail();
        return Operators.TryIndex(value, out int number) ? number : throw new TemplateError($"{owner}() needs an int, not {value.TypeName}.");
    }

    /// <summary>strip, lstrip and rstrip; without characters, of whitespace.</summary>
    public static StringValue Strip(StringValue value, Value? characters, bool left, bool right)
    {
        string text = value.Text;
        string? set = characters is null or NoneValue ? null : Require(characters, "strip").Text;
        int start = 0;
        int end = text.Length;
        while (left && start < end && IsIn(text, start, CodePoints.WidthAt(text, start), set)) start += CodePoints.WidthAt(text, start);
        while (right && end > start)
        {
            int width = end - start > 1 && char.IsLowSurrogate(text[end - 1]) && char.IsHighSurrogate(text[end - 2]) ? 2 : 1;
            if (!IsIn(text, end - width, width, set)) break;
            end -= width;
        }
        return value.Part(start, end - start);
    }

    public static StringValue Replace(StringValue value, StringValue old, StringValue replacement, int count)
    {
        string text = value.Text;
        if (count < 0) count = int.MaxValue;
        if (old.Text.Length > 0 && !text.Contains(old.Text, StringComparison.Ordinal)) return value;
        var result = new TextBuilder();
        int at = 0;
        while (count-- > 0)
        {
            int found = old.Text.Length == 0 ? at : text.IndexOf(old.Text, at, StringComparison.Ordinal);
            if (found < 0) break;
            result.Append(value, at, found - at);
            result.Append(replacement);
            at = found + old.Text.Length;
            if (old.Text.Length > 0) continue;
            if (at >= text.Length) break;
            int width = CodePoints.WidthAt(text, at); // replacing nothing means inserting between all characters
            result.Append(value, at, width);
            at += width;
        }
        if (at < text.Length) result.Append(value, at, text.Length - at);
        return result.ToValue();
    }

    public static StringValue Join(TemplateRun run, StringValue separator, IEnumerable<StringValue> parts)
    {
        var result = new TextBuilder();
        bool isFirst = true;
        foreach (StringValue part in parts)
        {
            run.Charge(1);
            if (!isFirst) result.Append(separator);
            result.Append(part);
            isFirst = false;
        }
        return result.ToValue();
    }

    public static List<StringValue> SplitLines(StringValue value, bool keepEnds)
    {
        var lines = new List<StringValue>();
        string text = value.Text;
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (!IsLineEnd(text[i])) continue;
            int next = text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n' ? i + 2 : i + 1;
            lines.Add(value.Part(start, (keepEnds ? next : i) - start));
            start = next;
            i = next - 1;
        }
        if (start < text.Length) lines.Add(value.Part(start, text.Length - start));
        return lines;
    }

    public static StringValue Upper(StringValue value) => value.Text.Contains('ß')
        ? value.Remade(value.Text.ToUpperInvariant().Replace("ß", "SS", StringComparison.Ordinal))
        : value.Rewritten(value.Text.ToUpperInvariant());

    public static StringValue Lower(StringValue value) => value.Rewritten(value.Text.ToLowerInvariant());

    public static StringValue Capitalize(StringValue value)
    {
        string text = value.Text;
        if (text.Length == 0) return value;
        int width = CodePoints.WidthAt(text, 0);
        return value.Rewritten(text[..width].ToUpperInvariant() + text[width..].ToLowerInvariant());
    }

    /// <summary>str.title(): a letter behind a letter is small, every other one is big.</summary>
    public static StringValue Title(StringValue value)
    {
        char[] text = value.Text.ToCharArray();
        bool insideWord = false;
        for (int i = 0; i < text.Length; i++)
        {
            text[i] = insideWord ? char.ToLowerInvariant(text[i]) : char.ToUpperInvariant(text[i]);
            insideWord = char.IsLetter(text[i]);
        }
        return value.Rewritten(new string(text));
    }

    /// <summary>Pads to a width in code points; the padding counts as the template's.</summary>
    public static StringValue Pad(StringValue value, int width, StringValue fill, char align)
    {
        int missing = width - CodePoints.Count(value.Text);
        if (missing <= 0) return value;
        TemplateLimits.CheckTextLength(width);
        // As str.center does it: the odd one goes left where both are odd.
        int left = align switch { '>' => missing, '<' => 0, _ => (missing / 2) + (missing & width & 1) };
        var result = new TextBuilder();
        for (int i = 0; i < left; i++) result.Append(fill);
        result.Append(value);
        for (int i = left; i < missing; i++) result.Append(fill);
        return result.ToValue();
    }

    private static bool IsIn(string text, int at, int width, string? set)
    {
        if (set is null) return Whitespace.Is(text[at]);
        return width == 1 ? set.Contains(text[at]) : set.Contains(text.Substring(at, width), StringComparison.Ordinal);
    }

    private static bool IsLineEnd(char character) =>
        character is >= '\n' and <= '\r' or >= '\x1c' and <= '\x1e' or '\x85' or '\u2028' or '\u2029';
}
