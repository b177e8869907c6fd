using System.Text;
using InferenceServer.Text.Tokenizers.Added;
using InferenceServer.Text.Tokenizers.Models;

namespace InferenceServer.Text.Tokenizers.Decoding;

/// <summary>Every id of a tokenizer, of the model and added: its content, its bytes, whether it is special. Immutable and thread-safe.</summary>
internal sealed class TokenTable
{
    private readonly Vocabulary _vocabulary;
    private readonly TokenDecoder _decoder;
    private readonly Dictionary<int, (byte[] Content, bool Special)> _added = [];
    private readonly Dictionary<string, int> _addedIds = new(StringComparer.Ordinal);
    private readonly byte[] _bytes;
    private readonly int[] _starts; // (Size + 1)

    public TokenTable(Vocabulary vocabulary, IReadOnlyList<AddedToken> added, TokenDecoder decoder)
    {
        (_vocabulary, _decoder) = (vocabulary, decoder);
        int size = vocabulary.Size;
        foreach (AddedToken token in added)
        {
            _added[token.Id] = (Encoding.UTF8.GetBytes(token.Content), token.Special);
            _addedIds[token.Content] = token.Id;
            size = Math.Max(size, token.Id + 1);
        }

        _starts = new int[size + 1];
        _bytes = new byte[1 << 16];
        for (int id = 0; id < size; id++)
            _starts[id + 1] = _starts[id] + (Contains(id) ? WriteMiddle(id, ref _bytes, _starts[id]) : 0);
        Array.Resize(ref _bytes, _starts[size]);
        for (int id = 0; id < size; id++)
            if (Contains(id)) LongestBytes = Math.Max(LongestBytes, Content(id).Length);
    }

    public int Size => _starts.Length - 1;

    public int LongestBytes { get; }

    public TokenDecoder Decoder => _decoder;

    public bool Contains(int id) => _vocabulary.Contains(id) || _added.ContainsKey(id);

    public bool IsSpecial(int id) => _added.TryGetValue(id, out (byte[] Content, bool Special) token) && token.Special;

    /// <summary>The bytes of a token in the middle of a text, as decoding gives them.</summary>
    public ReadOnlySpan<byte> Middle(int id) => _bytes.AsSpan(_starts[id].._starts[id + 1]);

    /// <summary>The bytes of a token at a place in a text.</summary>
    public ReadOnlySpan<byte> At(int id, bool isFirst, bool isLast) =>
        (isFirst && _decoder.MindsFirst) || (isLast && _decoder.MindsLast) ? _decoder.Decode(Content(id), isFirst, isLast) : Middle(id);

    /// <summary>For constraints and logprobs: like <see cref="Middle"/>, but special tokens are their content.</summary>
    public ReadOnlyMemory<byte> BytesFor(int id) =>
        !Contains(id) ? default : IsSpecial(id) ? _added[id].Content : _bytes.AsMemory(_starts[id].._starts[id + 1]);

    public int? Find(string content)
    {
        if (_addedIds.TryGetValue(content, out int added))
            return added;
        int id = _vocabulary.Find(Encoding.UTF8.GetBytes(content));
        return id < 0 ? null : id;
    }

    /// <summary>Whether decoding passes over it: a special token where these are skipped, or an id that no token has.</summary>
    public bool IsSilent(int id, bool skipSpecial) => !Contains(id) || (skipSpecial && IsSpecial(id));

    private int WriteMiddle(int id, ref byte[] into, int at)
    {
        if (!_decoder.AddedAsWritten || !_added.TryGetValue(id, out (byte[] Content, bool Special) token))
            return _decoder.DecodeMiddle(Content(id), ref into, at);
        TokenDecoder.Reserve(ref into, at + token.Content.Length);
        token.Content.CopyTo(into.AsSpan(at));
        return token.Content.Length;
    }

    private ReadOnlySpan<byte> Content(int id) =>
        _added.TryGetValue(id, out (byte[] Content, bool Special) token) ? token.Content : _vocabulary.Content(id);
}
