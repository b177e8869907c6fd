using System.Globalization;

namespace InferenceServer.Text.Tokenizers.Patterns;

/// <summary>
/// Reads the part of Oniguruma's language (<see href="https://github.com/kkos/oniguruma/blob/master/doc/RE"/>) that pre-tokenizers use:
/// alternatives, groups, <c>(?i:…)</c>, sets, properties, greedy and possessive repeats, look-ahead at one code point.
/// </summary>
internal sealed class PatternParser
{
    private readonly string _pattern;
    private int _at;
    private bool _ignoreCase;

    private PatternParser(string pattern) => _pattern = pattern;

    /// <exception cref="NotSupportedException">Anything else; .NET's engine may know it.</exception>
    public static PatternNode Parse(string pattern)
    {
        PatternParser parser = new(pattern);
        PatternNode node = parser.ParseChoice();
        return parser._at == pattern.Length ? node : throw parser.Unknown();
    }

    private bool AtEnd => _at >= _pattern.Length;

    private PatternNode ParseChoice()
    {
        List<PatternNode> alternatives = [ParseChain()];
        while (Accept('|'))
            alternatives.Add(ParseChain());
        return alternatives.Count == 1 ? alternatives[0] : new PatternNode.Choice(alternatives);
    }

    private PatternNode.Chain ParseChain()
    {
        List<PatternNode> parts = [];
        while (!AtEnd && _pattern[_at] is not ('|' or ')'))
            parts.Add(ParseRepeat(ParseAtom()));
        return new PatternNode.Chain(parts);
    }

    private PatternNode ParseAtom()
    {
        if (Accept('('))
            return ParseGroup();
        if (Accept('$'))
            return new PatternNode.LineEnd();
        if (_pattern[_at] is '^' or '*' or '+' or '?' or '{')
            throw Unknown();
        return new PatternNode.One(new CodePointSet(ParseSetItem(insideBrackets: false)));
    }

    private PatternNode ParseGroup()
    {
        if (AcceptAll("?!") || AcceptAll("?="))
        {
            bool negative = _pattern[_at - 1] == '!';
            PatternNode body = ParseChoice();
            Expect(')');
            return body is PatternNode.Chain { Parts: [PatternNode.One one] } ? new PatternNode.LookAhead(one.Set, negative) : throw Unknown();
        }

        bool outer = _ignoreCase;
        if (AcceptAll("?i:"))
            _ignoreCase = true;
        else if (!AcceptAll("?:") && !AtEnd && _pattern[_at] == '?')
            throw Unknown();
        PatternNode group = ParseChoice();
        Expect(')');
        _ignoreCase = outer;
        return group;
    }

    private PatternNode ParseRepeat(PatternNode body)
    {
        (int min, int max) = (1, 1);
        if (Accept('*'))
            (min, max) = (0, int.MaxValue);
        else if (Accept('+'))
            (min, max) = (1, int.MaxValue);
        else if (Accept('?'))
            (min, max) = (0, 1);
        else if (Accept('{'))
            (min, max) = ParseBounds();
        else
            return body;

        bool counted = _pattern[_at - 1] == '}';
        bool possessive = Accept('+');
        if (possessive && counted)
        {
            // In Oniguruma "x{1,3}+" is not possessive but repeats the repeat.
            (possessive, max) = (false, min <= 1 ? int.MaxValue : throw Unknown());
        }

        if ((!AtEnd && _pattern[_at] is '*' or '+' or '?' or '{') || body is PatternNode.LookAhead or PatternNode.LineEnd) // '?': lazy
            throw Unknown();
        return new PatternNode.Repeat(body is PatternNode.Chain { Parts: [PatternNode.One one] } ? one : body, min, max, possessive);
    }

    private (int Min, int Max) ParseBounds()
    {
        int close = _pattern.IndexOf('}', _at);
        string[] bounds = close < 0 ? [] : _pattern[_at..close].Split(',');
        if (bounds.Length is 0 or > 2 || !int.TryParse(bounds[0], NumberStyles.None, CultureInfo.InvariantCulture, out int min))
            throw Unknown();
        int max = min;
        if (bounds.Length == 2 && bounds[1].Length == 0)
            max = int.MaxValue;
        else if (bounds.Length == 2 && !int.TryParse(bounds[1], NumberStyles.None, CultureInfo.InvariantCulture, out max))
            throw Unknown();
        _at = close + 1;
        return (min, max);
    }

    private Func<int, bool> ParseBrackets()
    {
        bool negated = Accept('^');
        Func<int, bool> set = ParseUnion();
        while (AcceptAll("&&"))
        {
            (Func<int, bool> left, Func<int, bool> right) = (set, ParseUnion());
            set = c => left(c) && right(c);
        }

        Expect(']');
        return negated ? c => !set(c) : set;
    }

    private Func<int, bool> ParseUnion()
    {
        List<Func<int, bool>> items = [];
        while (!AtEnd && _pattern[_at] != ']' && string.CompareOrdinal(_pattern, _at, "&&", 0, 2) != 0)
            items.Add(ParseRange());
        Func<int, bool>[] all = [.. items];
        return c => Array.Exists(all, item => item(c));
    }

    private Func<int, bool> ParseRange()
    {
        int first = _at;
        Func<int, bool> low = ParseSetItem(insideBrackets: true);
        if (_at + 1 >= _pattern.Length || _pattern[_at] != '-' || _pattern[_at + 1] == ']')
            return low;

        _at++;
        int from = SingleCodePoint(first, _at - 1);
        int second = _at;
        ParseSetItem(insideBrackets: true);
        int to = SingleCodePoint(second, _at);
        return _ignoreCase ? CaseFolding.Ignore(c => c >= from && c <= to) : c => c >= from && c <= to;
    }

    /// <summary>The code point that _pattern[start..end] writes.</summary>
    private int SingleCodePoint(int start, int end)
    {
        int at = start;
        return PatternEscapes.TryCodePoint(_pattern, ref at, out int codePoint) && at == end ? codePoint : throw Unknown();
    }

    private Func<int, bool> ParseSetItem(bool insideBrackets)
    {
        if (!insideBrackets && Accept('.'))
            return static c => c != '\n';
        if (_pattern[_at] == '[')
        {
            _at++;
            return !AtEnd && _pattern[_at] == ':' ? throw Unknown() : ParseBrackets();
        }

        if (PatternEscapes.TryCodePoint(_pattern, ref _at, out int codePoint))
            return _ignoreCase ? CaseFolding.Ignore(c => c == codePoint) : c => c == codePoint;
        return PatternEscapes.TryClass(_pattern, ref _at, out Func<int, bool>? rule) ? rule : throw Unknown();
    }

    private bool Accept(char c)
    {
        if (AtEnd || _pattern[_at] != c)
            return false;
        _at++;
        return true;
    }

    private bool AcceptAll(string text)
    {
        if (string.CompareOrdinal(_pattern, _at, text, 0, text.Length) != 0)
            return false;
        _at += text.Length;
        return true;
    }

    private void Expect(char c)
    {
        if (!Accept(c))
            throw Unknown();
    }

    private NotSupportedException Unknown() => new($"The pattern is not understood from character {_at} on.");
}
