using InferenceServer.Core.Text;
using InferenceServer.Text.Templates.Builtins;

namespace InferenceServer.Text.Templates.Values;

/// <summary>
/// Python's str, with the origin of each character: wholly trusted, wholly a user's, or mixed. An operation that cannot tell
/// must answer with a wholly user's text, for that is what can never become a special token.
/// </summary>
internal sealed class StringValue : Value
{
    public static readonly StringValue Empty = Trusted("");

    private static readonly TextRange[] WhollyUser = [];

    private readonly TextRange[]? _user; // null: trusted; WhollyUser: all of it; else sorted, disjoint UTF-16 ranges

    private StringValue(string text, TextRange[]? user, bool isMarkup = false)
    {
        Text = text;
        _user = user;
        IsMarkup = isMarkup;
    }

    public string Text { get; }

    /// <summary>What safe and escape answer: joined with plain text by +, the plain text is escaped.</summary>
    public bool IsMarkup { get; }

    public bool IsTrusted => _user is null;

    public bool IsUser => ReferenceEquals(_user, WhollyUser);

    /// <summary>Sorted, disjoint ranges of what users wrote.</summary>
    public ReadOnlySpan<TextRange> UserRanges => IsUser ? new TextRange[] { new(0, Text.Length) } : _user;

    public override string TypeName => "str";

    public override bool IsTrue => Text.Length > 0;

    /// <summary>In code points, as Python counts.</summary>
    public override int? Length => CodePoints.Count(Text);

    public override bool IsIterable => true;

    public static StringValue Trusted(string text) => new(text, null);

    public static StringValue User(string text) => new(text, WhollyUser);

    public static StringValue Mixed(string text, TextRange[] user) => new(text, user);

    /// <summary>The same text as or not as markup.</summary>
    public StringValue AsMarkup(bool isMarkup) => isMarkup == IsMarkup ? this : new StringValue(Text, _user, isMarkup);

    /// <summary>A text made from this one in a way that moves characters: all of it counts as a user's if any of this does.</summary>
    public StringValue Remade(string text) => new(text, IsTrusted ? null : WhollyUser, IsMarkup);

    /// <summary>A text in which each character replaced the one at the same place.</summary>
    public StringValue Rewritten(string text) => text.Length == Text.Length ? new StringValue(text, _user, IsMarkup) : Remade(text);

    /// <summary>A part, in UTF-16 units.</summary>
    public StringValue Part(int start, int length)
    {
        if (length == Text.Length) return this;
        string text = Text.Substring(start, length);
        if (_user is null || IsUser) return new StringValue(text, _user, IsMarkup);
        var builder = new TextBuilder();
        builder.Append(this, start, length);
        return builder.ToValue().AsMarkup(IsMarkup);
    }

    /// <summary>Whether the character at a UTF-16 index came from a user.</summary>
    public bool IsUserAt(int index)
    {
        if (_user is null || IsUser) return IsUser;
        foreach (TextRange range in _user)
        {
            if (index < range.Start) return false;
            if (index < range.End) return true;
        }
        return false;
    }

    public override IEnumerable<Value> Iterate()
    {
        for (int i = 0; i < Text.Length;)
        {
            int width = CodePoints.WidthAt(Text, i);
            yield return Part(i, width);
            i += width;
        }
    }

    public override Value? GetAttribute(string name) =>
        StringMethods.Find(name) is { } method ? new FunctionValue(name, (run, arguments) => method(run, this, arguments)) : null;

    public override Value? GetItem(Value key)
    {
        if (!Operators.TryIndex(key, out int index)) return null;
        if (index < 0) index += CodePoints.Count(Text);
        if (index < 0) return null;
        int at = CodePoints.Offset(Text, index);
        return at < Text.Length ? Part(at, CodePoints.WidthAt(Text, at)) : null;
    }

    public override void WriteText(TextBuilder text) => text.Append(this);

    public override void WriteRepr(TextBuilder text)
    {
        if (IsMarkup) text.Append("Markup(");
        StringRepr.Write(this, text);
        if (IsMarkup) text.Append(")");
    }

    public override bool IsEqualTo(Value other) => other is StringValue text && text.Text == Text;

    public override int Hash() => string.GetHashCode(Text, StringComparison.Ordinal);
}
