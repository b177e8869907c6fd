using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using InferenceServer.Text.Tokenizers.Loading;

namespace InferenceServer.Text.Tokenizers.Normalizing;

/// <summary>
/// sentencepiece's compiled character map: a double-array trie (<see href="https://github.com/s-yata/darts-clone"/>) from byte strings to
/// places in a string of replacements. Applied grapheme by grapheme, then character by character, as Hugging Face's <c>spm_precompiled</c> does.
/// </summary>
internal sealed class PrecompiledNormalizer : INormalizer
{
    // Longer graphemes are never in the map; the limit is spm_precompiled's.
    private const int GraphemeBytesMost = 6;

    private readonly uint[] _units;
    private readonly byte[] _replacements; // each ends in a zero byte

    private PrecompiledNormalizer(uint[] units, byte[] replacements) => (_units, _replacements) = (units, replacements);

    public static INormalizer Read(JsonField field)
    {
        byte[] map;
        try
        {
            map = Convert.FromBase64String(field.AsString());
        }
        catch (FormatException e)
        {
            throw new InvalidDataException($"\"{field.Path}\" is not base64.", e);
        }

        if (map.Length == 0)
            return new NormalizerSequence([]);
        uint trieBytes = map.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(map) : uint.MaxValue;
        if (trieBytes > map.Length - 4 || trieBytes % 4 != 0)
            throw new InvalidDataException($"\"{field.Path}\" claims a table longer than itself.");
        uint[] units = new uint[trieBytes / 4];
        for (int i = 0; i < units.Length; i++)
            units[i] = BinaryPrimitives.ReadUInt32LittleEndian(map.AsSpan(4 + 4 * i));
        return new PrecompiledNormalizer(units, map[(4 + (int)trieBytes)..]);
    }

    public string Normalize(string text)
    {
        StringBuilder normalized = new(text.Length);
        Span<byte> utf8 = stackalloc byte[GraphemeBytesMost];
        for (int at = 0; at < text.Length;)
        {
            ReadOnlySpan<char> grapheme = text.AsSpan(at, StringInfo.GetNextTextElementLength(text, at));
            at += grapheme.Length;
            if (Encoding.UTF8.TryGetBytes(grapheme, utf8, out int length) && length < GraphemeBytesMost && Find(utf8[..length]) is { } whole)
            {
                normalized.Append(whole);
                continue;
            }

            foreach (Rune rune in grapheme.EnumerateRunes())
                if (Find(utf8[..rune.EncodeToUtf8(utf8)]) is { } replacement)
                    normalized.Append(replacement);
                else
                    normalized.Append(rune);
        }

        return normalized.ToString();
    }

    /// <summary>The replacement of the shortest key that <paramref name="bytes"/> begins with, or null.</summary>
    private string? Find(ReadOnlySpan<byte> bytes)
    {
        if (_units.Length == 0)
            return null;
        uint node = Offset(_units[0]);
        foreach (byte b in bytes)
        {
            if (b == 0)
                return null;
            node ^= b;
            if (node >= _units.Length || (_units[node] & 0x800000FF) != b)
                return null;
            bool ends = (_units[node] >> 8 & 1) != 0;
            node ^= Offset(_units[node]);
            if (ends)
                return node < _units.Length ? Replacement(_units[node] & 0x7FFFFFFF) : null;
        }

        return null;
    }

    private string? Replacement(uint start)
    {
        if (start > _replacements.Length)
            return null;
        ReadOnlySpan<byte> from = _replacements.AsSpan((int)start);
        int end = from.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? from : from[..end]);
    }

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & 1u << 9) >> 6);
}
