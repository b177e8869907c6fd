using System.Diagnostics;

namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>
/// The model's tokens as they stand in the file (UTF-8), all in one array: 128,000 strings would cost more than the text they hold.
/// Immutable after <see cref="Seal"/>, then thread-safe.
/// </summary>
internal sealed class Vocabulary
{
    // Files in the wild leave holes for tokens that other files add; more holes than this is a file that lies about its ids.
    private const int HolesAllowed = 65_536;

    private readonly List<(int Id, int Start, int Length)> _entries = [];
    private byte[] _text = new byte[1 << 16];
    private int _textLength;
    private int[] _starts = [];
    private int[] _lengths = []; // -1: no such token
    private ByteStringIndex _index = ByteStringIndex.Empty;
    private long _highestId = -1;

    /// <summary>Highest id + 1; 0 before <see cref="Seal"/>.</summary>
    public int Size => _starts.Length;

    /// <summary>Length in bytes of the longest token.</summary>
    public int LongestToken { get; private set; }

    public void Add(ReadOnlySpan<byte> content, int id)
    {
        Debug.Assert(id >= 0);
        if (_text.Length - _textLength < content.Length)
            Array.Resize(ref _text, Math.Max(_text.Length * 2, _textLength + content.Length));
        content.CopyTo(_text.AsSpan(_textLength));
        _entries.Add((id, _textLength, content.Length));
        _textLength += content.Length;
        _highestId = Math.Max(_highestId, id);
        LongestToken = Math.Max(LongestToken, content.Length);
    }

    /// <summary>Ends the adding and builds the index.</summary>
    /// <exception cref="InvalidDataException">The highest id is far above the number of tokens.</exception>
    public void Seal()
    {
        if (_highestId >= 2L * _entries.Count + HolesAllowed)
            throw new InvalidDataException($"\"model.vocab\" has {_entries.Count} tokens, yet an id of {_highestId}; expected ids without large holes.");

        _starts = new int[_highestId + 1];
        _lengths = new int[_highestId + 1];
        Array.Fill(_lengths, -1);
        foreach ((int id, int start, int length) in _entries)
            (_starts[id], _lengths[id]) = (start, length);
        _index = new ByteStringIndex(_text, _starts, _lengths);
        _entries.Clear();
        _entries.TrimExcess();
    }

    public bool Contains(int id) => (uint)id < (uint)_lengths.Length && _lengths[id] >= 0;

    /// <summary>The token as it stands in the file; empty for an id in a hole.</summary>
    public ReadOnlySpan<byte> Content(int id) => Contains(id) ? _text.AsSpan(_starts[id], _lengths[id]) : default;

    /// <summary>The id of a token, or -1.</summary>
    public int Find(ReadOnlySpan<byte> content) => _index.Find(content);
}
