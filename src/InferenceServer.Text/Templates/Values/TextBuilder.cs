using System.Runtime.InteropServices;
using System.Text;
using InferenceServer.Core.Text;

namespace InferenceServer.Text.Templates.Values;

/// <summary>Builds text while remembering which of its characters users wrote. One owner.</summary>
internal sealed class TextBuilder
{
    private readonly StringBuilder _text = new();
    private readonly List<TextRange> _user = [];

    public int Length => _text.Length;

    /// <summary>Text that the template or the server wrote.</summary>
    public void Append(string trusted)
    {
        TemplateLimits.CheckTextLength((long)_text.Length + trusted.Length);
        _text.Append(trusted);
    }

    public void Append(char trusted) => _text.Append(trusted);

    /// <summary>Text of mixed origin, origins kept.</summary>
    public void Append(StringValue value) => Append(value, 0, value.Text.Length);

    public void Append(StringValue value, int start, int length)
    {
        TemplateLimits.CheckTextLength((long)_text.Length + length);
        int shift = _text.Length - start;
        _text.Append(value.Text, start, length);
        if (value.IsTrusted || length == 0) return;
        if (value.IsUser)
        {
            Mark(_text.Length - length, _text.Length);
            return;
        }
        foreach (TextRange range in value.UserRanges)
        {
            int from = Math.Max(range.Start, start);
            int to = Math.Min(range.End, start + length);
            if (from < to) Mark(from + shift, to + shift);
        }
    }

    /// <summary>Text that is written anew from something of that origin: an escape, a changed letter.</summary>
    public void Append(string text, bool isUser)
    {
        Append(text);
        if (isUser && text.Length > 0) Mark(_text.Length - text.Length, _text.Length);
    }

    public StringValue ToValue()
    {
        if (_user.Count == 0) return StringValue.Trusted(_text.ToString());
        return _user.Count == 1 && _user[0].Start == 0 && _user[0].End == _text.Length
            ? StringValue.User(_text.ToString())
            : StringValue.Mixed(_text.ToString(), [.. _user]);
    }

    public RenderedPrompt ToPrompt() => new(_text.ToString(), _user.ToArray());

    // Appending only ever grows at the end, so the list stays sorted and disjoint; neighbours merge.
    private void Mark(int start, int end)
    {
        Span<TextRange> ranges = CollectionsMarshal.AsSpan(_user);
        if (ranges.Length > 0 && ranges[^1].End == start) ranges[^1] = ranges[^1] with { End = end };
        else _user.Add(new TextRange(start, end));
    }
}
