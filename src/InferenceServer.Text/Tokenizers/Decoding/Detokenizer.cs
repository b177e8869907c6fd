using System.Text;
using InferenceServer.Core.Text;

namespace InferenceServer.Text.Tokenizers.Decoding;

/// <summary>Decodes token by token, O(1) amortised each; keeps back only unfinished characters. One owner a choice.</summary>
internal sealed class Detokenizer(TokenTable tokens, bool skipSpecial) : IDetokenizer
{
    private readonly Decoder _utf8 = Encoding.UTF8.GetDecoder();
    private readonly EdgeStrip _edges = tokens.Decoder.Edges;
    private readonly bool _waits = tokens.Decoder.MindsLast;
    private int _leadingLeft = tokens.Decoder.Edges.Start;
    private int _trailingHeld;
    private int? _waiting;
    private bool _hasBegun;

    /// <summary>
    /// Goes on behind a text of these tokens. Its beginning decides what is stripped there, its end which character is unfinished and which
    /// token waits; what lies between changes nothing and is passed over, so that the cost is the same for any prompt.
    /// </summary>
    public void Continue(ReadOnlySpan<int> before)
    {
        int at = 0;
        while (at < before.Length && !(_hasBegun && _leadingLeft == 0))
            Append(before[at++]);
        for (at = Math.Max(at, EndOf(before)); at < before.Length; at++)
            Append(before[at]);
    }

    public string Append(int token)
    {
        if (tokens.IsSilent(token, skipSpecial))
            return "";
        if (!_waits)
            return Write(token, isLast: false);

        string text = _waiting is int before ? Write(before, isLast: false) : "";
        _waiting = token;
        return text;
    }

    public string Flush()
    {
        string text = _waiting is int last ? Write(last, isLast: true) : "";
        _waiting = null;
        text += Strip(ToText([], flush: true));
        _trailingHeld = 0; // what is held is exactly what the end of the text loses
        return text;
    }

    /// <summary>
    /// Where the tokens begin on which all that follows depends: the one that may wait, and before it as many bytes as an unfinished
    /// character and the spaces that the end of the text loses can have.
    /// </summary>
    private int EndOf(ReadOnlySpan<int> before)
    {
        const int MostBytes = 3; // of an unfinished character, or of a UTF-16 code unit
        int at = before.Length, bytes = -1;
        for (; at > 0 && bytes < MostBytes * (1 + _edges.Stop); at--)
            if (!tokens.IsSilent(before[at - 1], skipSpecial))
                bytes = bytes < 0 ? 0 : bytes + tokens.Middle(before[at - 1]).Length;
        return at;
    }

    private string Write(int token, bool isLast)
    {
        ReadOnlySpan<byte> bytes = tokens.At(token, !_hasBegun, isLast);
        _hasBegun = true;
        return Strip(ToText(bytes, flush: false));
    }

    private string ToText(ReadOnlySpan<byte> bytes, bool flush)
    {
        // Three bytes may be left from before, and every one of them can become a U+FFFD.
        int most = bytes.Length + 4;
        Span<char> chars = most <= 256 ? stackalloc char[256] : new char[most];
        return new string(chars[.._utf8.GetChars(bytes, chars, flush)]);
    }

    private string Strip(string text)
    {
        int from = 0;
        for (; _leadingLeft > 0 && from < text.Length; from++, _leadingLeft--)
        {
            if (text[from] == _edges.Content)
                continue;
            _leadingLeft = 0;
            break;
        }

        if (from > 0)
            text = text[from..];
        return _edges.Stop == 0 || text.Length == 0 ? text : HoldTrailing(text);
    }

    private string HoldTrailing(string text)
    {
        text = new string(_edges.Content, _trailingHeld) + text;
        int to = text.Length;
        while (text.Length - to < _edges.Stop && to > 0 && text[to - 1] == _edges.Content)
            to--;
        _trailingHeld = text.Length - to;
        return text[..to];
    }
}
