using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace InferenceServer.Cuda.StandIn.Ptx.Parsing;

/// <summary>Reads words, numbers and punctuation off a PTX text and knows the line it is on.</summary>
internal sealed class PtxReader(string text, string name)
{
    private int _countedTo;
    private int _line = 1;

    public string Name => name;
    public string Text => text;
    public int Position { get; private set; }
    public bool AtEnd { get { SkipSpace(); return Position >= text.Length; } }

    /// <summary>The line of the current position, from 1.</summary>
    public int Line
    {
        get
        {
            _line += text.AsSpan(_countedTo, Position - _countedTo).Count('\n');
            _countedTo = Position;
            return _line;
        }
    }

    /// <summary>The next character that is neither space nor comment; '\0' at the end.</summary>
    public char Peek()
    {
        SkipSpace();
        return Position < text.Length ? text[Position] : '\0';
    }

    public bool Take(char c)
    {
        if (Peek() != c) return false;
        Position++;
        return true;
    }

    public void Expect(char c)
    {
        if (!Take(c)) Fail($"'{c}' expected");
    }

    /// <summary>An identifier, directive, register or whole mnemonic.</summary>
    public ReadOnlySpan<char> Word()
    {
        SkipSpace();
        int begin = Position;
        while (Position < text.Length && IsWord(text[Position])) Position++;
        if (Position == begin) Fail("a name expected");
        return text.AsSpan(begin, Position - begin);
    }

    public void ExpectWord(string word)
    {
        if (!Word().SequenceEqual(word)) Fail($"{word} expected");
    }

    public bool TakeWord(string word)
    {
        SkipSpace();
        if (!text.AsSpan(Position).StartsWith(word) || (Position + word.Length < text.Length && IsWord(text[Position + word.Length]))) return false;
        Position += word.Length;
        return true;
    }

    /// <summary>The text up to <paramref name="end"/>, which is taken too.</summary>
    public ReadOnlySpan<char> Until(char end)
    {
        SkipSpace();
        int begin = Position, length = text.AsSpan(begin).IndexOf(end);
        if (length < 0) Fail($"'{end}' expected before the end of the text");
        Position = begin + length + 1;
        return text.AsSpan(begin, length);
    }

    public bool NextIsNumber()
    {
        char c = Peek();
        return char.IsAsciiDigit(c) || c == '-';
    }

    public int Count() => checked((int)Integer());

    /// <summary>A decimal or hexadecimal integer, perhaps negative, in two's complement.</summary>
    public ulong Integer()
    {
        ulong bits = Number(PtxType.B64, out bool isFloat);
        if (isFloat) Fail("an integer expected");
        return bits;
    }

    /// <summary>A literal as the bits of <paramref name="type"/>: 0f and 0d forms, plain decimals where the type is a float, or an integer.</summary>
    public ulong Number(PtxType type, out bool isFloat)
    {
        bool negative = Take('-');
        ReadOnlySpan<char> word = Word();
        isFloat = true;
        if (word.Length == 10 && word[0] == '0' && word[1] is 'f' or 'F')
        {
            uint single = uint.Parse(word[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture) ^ (negative ? 1u << 31 : 0);
            return type.Bytes() == 8 ? BitConverter.DoubleToUInt64Bits(BitConverter.UInt32BitsToSingle(single)) : single;
        }
        if (word.Length == 18 && word[0] == '0' && word[1] is 'd' or 'D')
        {
            ulong bits64 = ulong.Parse(word[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture) ^ (negative ? 1ul << 63 : 0);
            return type.Bytes() == 8 ? bits64 : BitConverter.SingleToUInt32Bits((float)BitConverter.UInt64BitsToDouble(bits64));
        }
        if (word.Contains('.'))
        {
            if (!double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)) Fail($"{word} is no number");
            if (negative) value = -value;
            return type.Bytes() == 8 ? BitConverter.DoubleToUInt64Bits(value) : BitConverter.SingleToUInt32Bits((float)value);
        }
        isFloat = false;
        word = word[^1] is 'U' or 'u' ? word[..^1] : word;
        bool hex = word.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        if (!ulong.TryParse(hex ? word[2..] : word, hex ? NumberStyles.HexNumber : NumberStyles.None, CultureInfo.InvariantCulture, out ulong bits))
            Fail($"{word} is no number");
        return negative ? unchecked(0 - bits) : bits;
    }

    [DoesNotReturn]
    public void Fail(string what) => throw new PtxException($"{name}, PTX line {Line}: {what} at '{Rest()}'");

    private string Rest()
    {
        int length = Math.Min(60, text.Length - Position);
        return text.Substring(Position, length).Split('\n')[0].Trim();
    }

    private static bool IsWord(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '$' or '%' or '.' or ':';

    private void SkipSpace()
    {
        while (Position < text.Length)
        {
            char c = text[Position];
            if (char.IsWhiteSpace(c)) Position++;
            else if (c == '/' && text.AsSpan(Position).StartsWith("//")) Position = EndOf("\n");
            else if (c == '/' && text.AsSpan(Position).StartsWith("/*")) Position = EndOf("*/");
            else return;
        }
    }

    private int EndOf(string mark)
    {
        int at = text.IndexOf(mark, Position, StringComparison.Ordinal);
        return at < 0 ? text.Length : at + mark.Length;
    }
}
