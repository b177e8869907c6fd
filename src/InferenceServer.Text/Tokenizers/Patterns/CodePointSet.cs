using System.Globalization;

namespace InferenceServer.Text.Tokenizers.Patterns;

/// <summary>A set of code points: a bitmap for the first plane, the rule itself beyond it. Surrogates are in no set. Immutable and thread-safe.</summary>
internal sealed class CodePointSet
{
    private readonly uint[] _plane0 = new uint[65_536 / 32];
    private readonly Func<int, bool> _rule;

    public CodePointSet(Func<int, bool> rule)
    {
        _rule = rule;
        for (int c = 0; c <= 0xFFFF; c++)
            if (!char.IsSurrogate((char)c) && rule(c))
                _plane0[c >> 5] |= 1u << c;
    }

    public bool Contains(char c) => (_plane0[c >> 5] >> c & 1) != 0;

    /// <summary>The length in UTF-16 units of the code point at <paramref name="at"/> if it is in the set, else 0.</summary>
    public int Step(ReadOnlySpan<char> text, int at)
    {
        if ((uint)at >= (uint)text.Length)
            return 0;
        char c = text[at];
        if (Contains(c))
            return 1;
        return char.IsHighSurrogate(c) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1])
            && _rule(char.ConvertToUtf32(c, text[at + 1])) ? 2 : 0;
    }

    /// <summary>The end of the longest run from <paramref name="at"/> on, at most <paramref name="most"/> code points.</summary>
    public int RunEnd(ReadOnlySpan<char> text, int at, int most, out int count)
    {
        uint[] plane0 = _plane0;
        count = 0;
        while (count < most && (uint)at < (uint)text.Length)
        {
            char c = text[at];
            int length = (plane0[c >> 5] >> c & 1) != 0 ? 1 : char.IsHighSurrogate(c) ? Step(text, at) : 0;
            if (length == 0)
                break;
            at += length;
            count++;
        }

        return at;
    }

    /// <summary>A rule over Unicode general categories, bit by <see cref="UnicodeCategory"/>.</summary>
    public static Func<int, bool> OfCategories(uint mask) => c => (mask >> (int)CharUnicodeInfo.GetUnicodeCategory(c) & 1) != 0;
}
