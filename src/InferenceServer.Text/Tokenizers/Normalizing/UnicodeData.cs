using System.Globalization;
using System.IO.Compression;

namespace InferenceServer.Text.Tokenizers.Normalizing;

/// <summary>The unpacked <see cref="UnicodeTables"/>. Built on first use, then immutable and thread-safe.</summary>
internal sealed class UnicodeData
{
    public static readonly UnicodeData Instance = new();

    private readonly Dictionary<int, byte> _classes = [];
    private readonly Dictionary<int, (bool Compatibility, int[] Parts)> _decompositions = [];
    private readonly Dictionary<(int, int), int> _compositions = [];
    private readonly uint[] _maybeChanges = new uint[65_536 / 32]; // first plane: not certain to stay as it is under NFC

    private UnicodeData()
    {
        using ZLibStream unpacked = new(new MemoryStream(Convert.FromBase64String(UnicodeTables.Packed)), CompressionMode.Decompress);
        using StreamReader lines = new(unpacked);
        while (lines.ReadLine() is { } line)
            Add(line);
        for (int jamo = 0x1161; jamo <= 0x11FF; jamo++) // vowels and tails join the syllable before them
            Mark(jamo);
    }

    public int ClassOf(int point) => _classes.GetValueOrDefault(point);

    public bool TryDecompose(int point, bool compatibility, out int[] parts)
    {
        bool known = _decompositions.TryGetValue(point, out (bool Compatibility, int[] Parts) entry);
        parts = entry.Parts;
        return known && (compatibility || !entry.Compatibility);
    }

    public bool TryCompose(int first, int second, out int composed) => _compositions.TryGetValue((first, second), out composed);

    /// <summary>False if the char stays as it is under NFC, whatever stands around it.</summary>
    public bool MayChange(char c) => (_maybeChanges[c >> 5] >> c & 1) != 0 || char.IsSurrogate(c);

    private void Add(string line)
    {
        int split = line.AsSpan().IndexOfAny("#=!~");
        int point = Hex(line[..split]);
        int[] values = [.. line[(split + 1)..].Split(' ').Select(Hex)];
        switch (line[split])
        {
            case '#':
                _classes[point] = (byte)values[0];
                Mark(point);
                break;
            case '~':
                _decompositions[point] = (true, values);
                break;
            case '=':
                _decompositions[point] = (false, values);
                _compositions[(values[0], values[1])] = point;
                Mark(values[1]);
                break;
            default:
                _decompositions[point] = (false, values);
                Mark(point);
                break;
        }
    }

    private void Mark(int point)
    {
        if (point <= 0xFFFF)
            _maybeChanges[point >> 5] |= 1u << point;
    }

    private static int Hex(string digits) => int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
