using System.Buffers;

namespace InferenceServer.Text.Templates.Syntax;

/// <summary>
/// Source to tokens, with Jinja's whitespace control: <c>trim_blocks</c> and <c>lstrip_blocks</c> are on, the last newline of the
/// source is dropped. Behaves as jinja2/lexer.py does.
/// </summary>
internal sealed class Lexer
{
    private static readonly SearchValues<char> TagSecond = SearchValues.Create("%{#");

    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private int _at;
    private int _line = 1;
    private int _lineCountedTo;
    private bool _atLineStart = true;

    private Lexer(string source) => _source = source;

    public static List<Token> Read(string source)
    {
        source = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        if (source.EndsWith('\n')) source = source[..^1];
        var lexer = new Lexer(source);
        lexer.ReadAll();
        return lexer._tokens;
    }

    private void ReadAll()
    {
        while (_at < _source.Length)
        {
            int tag = FindTag(_at);
            if (tag < 0)
            {
                AddData(_at, _source.Length);
                _at = _source.Length;
                break;
            }
            char kind = _source[tag + 1];
            int inside = AddDataBefore(tag, keepIndent: kind == '{');
            if (kind == '#') SkipComment(inside);
            else if (kind == '%' && TryMatchTag(tag, "raw", out int rawStart)) ReadRaw(rawStart);
            else ReadTag(inside, kind == '%');
            _atLineStart = _source[_at - 1] == '\n';
        }
        _tokens.Add(new Token(TokenKind.End, "", LineAt(_at)));
    }

    private int FindTag(int from)
    {
        for (int i = from; (i = _source.IndexOf('{', i)) >= 0 && i + 1 < _source.Length; i++)
        {
            if (TagSecond.Contains(_source[i + 1])) return i;
        }
        return -1;
    }

    /// <summary>Adds the text before a tag as its sign and lstrip_blocks leave it; returns where the inside of the tag starts.</summary>
    private int AddDataBefore(int tag, bool keepIndent)
    {
        char sign = tag + 2 < _source.Length ? _source[tag + 2] : '\0';
        int end = tag;
        if (sign == '-')
        {
            while (end > _at && Whitespace.Is(_source[end - 1])) end--;
        }
        else if (sign != '+' && !keepIndent)
        {
            int newline = _source.AsSpan(_at, tag - _at).LastIndexOf('\n');
            int lineStart = _at + newline + 1;
            if ((newline >= 0 || _atLineStart) && IsBlank(lineStart, tag)) end = lineStart;
        }
        AddData(_at, end);
        return tag + (sign is '-' or '+' ? 3 : 2);
    }

    private bool IsBlank(int start, int end)
    {
        for (int i = start; i < end; i++)
        {
            if (!Whitespace.Is(_source[i])) return false;
        }
        return true;
    }

    private void AddData(int start, int end)
    {
        if (end > start) _tokens.Add(new Token(TokenKind.Data, _source[start..end], LineAt(start)));
    }

    private void SkipComment(int inside)
    {
        int end = _source.IndexOf("#}", inside, StringComparison.Ordinal);
        if (end < 0) throw new TemplateSyntaxError("A comment '{#' has no end '#}'.", LineAt(inside));
        _at = AfterEnd(end > inside ? end - 1 : end, end);
    }

    private void ReadRaw(int start)
    {
        _at = start;
        _atLineStart = _source[start - 1] == '\n';
        for (int tag = FindTag(start); tag >= 0; tag = FindTag(tag + 1))
        {
            if (_source[tag + 1] != '%' || !TryMatchTag(tag, "endraw", out int after)) continue;
            AddDataBefore(tag, keepIndent: false);
            _at = after;
            return;
        }
        throw new TemplateSyntaxError("A raw block has no end.", LineAt(start));
    }

    /// <summary>Whether a whole tag such as <c>{%- raw -%}</c> stands here, and where it ends.</summary>
    private bool TryMatchTag(int tag, string name, out int after)
    {
        after = 0;
        int at = tag + 2;
        if (at < _source.Length && _source[at] is '-' or '+') at++;
        at = SkipWhitespace(at);
        if (string.CompareOrdinal(_source, at, name, 0, name.Length) != 0) return false;
        at = SkipWhitespace(at + name.Length);
        int end = at < _source.Length && _source[at] is '-' or '+' ? at + 1 : at;
        if (string.CompareOrdinal(_source, end, "%}", 0, 2) != 0) return false;
        // The opening tag keeps the newline behind it, the closing one does not.
        after = name == "raw" && end == at ? end + 2 : AfterEnd(at, end);
        return true;
    }

    /// <summary>Where text goes on behind an end tag of two characters: its sign decides what whitespace goes with it.</summary>
    private int AfterEnd(int sign, int end)
    {
        int after = end + 2;
        if (sign < end && _source[sign] == '-') return SkipWhitespace(after);
        if (sign < end && _source[sign] == '+') return after;
        return after < _source.Length && _source[after] == '\n' ? after + 1 : after;
    }

    private void ReadTag(int inside, bool isBlock)
    {
        _tokens.Add(new Token(isBlock ? TokenKind.BlockBegin : TokenKind.VariableBegin, "", LineAt(inside)));
        var expression = new ExpressionLexer(_source, inside, isBlock ? "%}" : "}}", LineAt, _tokens);
        (int sign, int end) = expression.Read();
        _tokens.Add(new Token(isBlock ? TokenKind.BlockEnd : TokenKind.VariableEnd, "", LineAt(end)));
        if (isBlock) _at = AfterEnd(sign, end);
        else _at = sign < end ? SkipWhitespace(end + 2) : end + 2;
    }

    private int SkipWhitespace(int at)
    {
        while (at < _source.Length && Whitespace.Is(_source[at])) at++;
        return at;
    }

    // Asked in rising order, but for a look back of one tag.
    private int LineAt(int at)
    {
        if (at > _lineCountedTo)
        {
            _line += _source.AsSpan(_lineCountedTo, at - _lineCountedTo).Count('\n');
            _lineCountedTo = at;
        }
        return _line;
    }
}
