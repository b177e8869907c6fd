namespace InferenceServer.Text.Templates.Syntax;

/// <summary>The tokens inside one tag, up to its end. Inside brackets the end's characters are operators.</summary>
internal sealed class ExpressionLexer(string source, int start, string endTag, Func<int, int> lineAt, List<Token> tokens)
{
    private static readonly string[] LongOperators = ["//", "**", "==", "!=", ">=", "<="];

    private readonly Stack<char> _open = new();
    private readonly int _start = start;
    private int _at = start;

    /// <summary>Adds the tokens; returns where the end tag's sign (if any) and the end tag itself stand.</summary>
    public (int Sign, int End) Read()
    {
        while (true)
        {
            while (_at < source.Length && Whitespace.Is(source[_at])) _at++;
            if (_at >= source.Length) throw Error($"A tag has no end '{endTag}'.");
            if (_open.Count == 0 && FindEnd() is { } end) return (_at, end);
            char first = source[_at];
            if (char.IsAsciiDigit(first)) ReadNumber();
            else if (first == '_' || char.IsLetter(first)) ReadName();
            else if (first is '"' or '\'') ReadString(first);
            else ReadOperator();
        }
    }

    private int? FindEnd()
    {
        bool hasSign = source[_at] == '-' || (source[_at] == '+' && endTag == "%}");
        int end = hasSign ? _at + 1 : _at;
        return string.CompareOrdinal(source, end, endTag, 0, 2) == 0 ? end : null;
    }

    private void ReadName()
    {
        int from = _at;
        while (_at < source.Length && (source[_at] == '_' || char.IsLetterOrDigit(source[_at]))) _at++;
        Add(TokenKind.Name, source[from.._at], from);
    }

    private void ReadNumber()
    {
        int from = _at;
        if (source[_at] == '0' && _at + 1 < source.Length && char.ToLowerInvariant(source[_at + 1]) is 'x' or 'o' or 'b')
        {
            _at += 2;
            while (_at < source.Length && (char.IsAsciiHexDigit(source[_at]) || source[_at] == '_')) _at++;
            Add(TokenKind.Integer, source[from.._at], from);
            return;
        }
        SkipDigits();
        bool isFloat = SkipFraction() | SkipExponent();
        Add(isFloat ? TokenKind.Float : TokenKind.Integer, source[from.._at].Replace("_", "", StringComparison.Ordinal), from);
    }

    private void SkipDigits()
    {
        while (_at < source.Length && (char.IsAsciiDigit(source[_at]) || source[_at] == '_')) _at++;
    }

    private bool SkipFraction()
    {
        // "1.0" is a number, "x.1.y" and "1.real" are not: a digit must follow and no point may come before.
        bool isMember = tokens.Count > 0 && tokens[^1].IsOperator(".");
        if (isMember || _at + 1 >= source.Length || source[_at] != '.' || !char.IsAsciiDigit(source[_at + 1])) return false;
        _at++;
        SkipDigits();
        return true;
    }

    private bool SkipExponent()
    {
        if (_at >= source.Length || source[_at] is not ('e' or 'E')) return false;
        int digits = _at + 1 < source.Length && source[_at + 1] is '+' or '-' ? _at + 2 : _at + 1;
        if (digits >= source.Length || !char.IsAsciiDigit(source[digits])) return false;
        _at = digits;
        SkipDigits();
        return true;
    }

    private void ReadString(char quote)
    {
        int from = _at++;
        while (_at < source.Length && source[_at] != quote) _at += source[_at] == '\\' ? 2 : 1;
        if (_at >= source.Length) throw Error("A string has no end.", from);
        Add(TokenKind.String, StringEscapes.Decode(source.AsSpan(from + 1, _at - from - 1)), from);
        _at++;
    }

    private void ReadOperator()
    {
        int from = _at;
        foreach (string symbol in LongOperators)
        {
            if (string.CompareOrdinal(source, _at, symbol, 0, 2) != 0) continue;
            _at += 2;
            Add(TokenKind.Operator, symbol, from);
            return;
        }
        char character = source[_at++];
        if (!"+-/*%~[](){}><=.:|,;".Contains(character)) throw Error($"The character '{character}' is unexpected.", from);
        Balance(character, from);
        Add(TokenKind.Operator, character.ToString(), from);
    }

    private void Balance(char character, int from)
    {
        if (character is '(' or '[' or '{')
        {
            _open.Push(character == '(' ? ')' : character == '[' ? ']' : '}');
        }
        else if (character is ')' or ']' or '}')
        {
            if (_open.Count == 0) throw Error($"'{character}' closes nothing.", from);
            char expected = _open.Pop();
            if (character != expected) throw Error($"'{character}' is unexpected, expected '{expected}'.", from);
        }
    }

    private void Add(TokenKind kind, string text, int at) => tokens.Add(new Token(kind, text, lineAt(at)));

    private TemplateSyntaxError Error(string message) => Error(message, _start);

    private TemplateSyntaxError Error(string message, int at) => new(message, lineAt(at));
}
