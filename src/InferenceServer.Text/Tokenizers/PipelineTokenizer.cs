using System.Buffers;
using System.Text;
using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers.Added;
using InferenceServer.Text.Tokenizers.Decoding;
using InferenceServer.Text.Tokenizers.Models;
using InferenceServer.Text.Tokenizers.PreTokenizing;

namespace InferenceServer.Text.Tokenizers;

/// <summary>
/// A tokenizer.json put together: added tokens, normalizer, pre-tokenizer, model, post-processor, and the decoders for the way back.
/// Added tokens that are not special are vocabulary and are always recognised; special ones only as <see cref="EncodeOptions"/> allow.
/// The steps and their order are those of Hugging Face's <c>tokenizers</c> (added_vocabulary.rs, tokenizer/mod.rs).
/// </summary>
internal sealed class PipelineTokenizer : ITokenizer
{
    private static readonly EncodeOptions NoSpecial = new() { ParseSpecial = false };

    private readonly TokenizerParts _parts;
    private readonly TokenTable _tokens;
    private readonly AddedTokenFinder _inRawText;
    private readonly AddedTokenFinder _inNormalizedText;
    private readonly AddedTokenFinder _specialInRawText; // every special token, for texts with literal ranges

    public PipelineTokenizer(TokenizerParts parts)
    {
        _parts = parts;
        _tokens = new TokenTable(parts.Vocabulary, parts.Added, parts.Decoder);
        _inRawText = new AddedTokenFinder(parts.Added.Where(static token => !token.Normalized).Select(static token => (token.Content, token)));
        _inNormalizedText = new AddedTokenFinder(parts.Added.Where(static token => token.Normalized)
            .Select(token => (parts.Normalizer?.Normalize(token.Content) ?? token.Content, token)));
        _specialInRawText = new AddedTokenFinder(parts.Added.Where(static token => !token.Normalized || token.Special)
            .Select(static token => (token.Content, token)));
    }

    public int VocabularySize => _tokens.Size;

    public void Encode(string text, EncodeOptions options, List<int> ids)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = WithoutLoneSurrogates(text);
        if (options.AddSpecial)
            ids.AddRange(_parts.Frame.Before);

        // A place in normalized text cannot be held against ranges of the raw text, so with a normalizer all special tokens are sought before it.
        bool rangesNeedRawText = options.ParseSpecial && options.Literal.Count > 0 && _parts.Normalizer is not null;
        AddedTokenFinder finder = rangesNeedRawText ? _specialInRawText : _inRawText;
        EncodeOptions later = rangesNeedRawText ? NoSpecial : options;
        ModelSink sink = new(_parts.Model, ids);
        int from = 0;
        while (!finder.IsEmpty && finder.TryFind(text, from, options, 0, out AddedTokenMatch match))
        {
            EncodeGap(text, from, match.Start, later, sink);
            ids.Add(match.Id);
            from = match.End;
        }

        EncodeGap(text, from, text.Length, later, sink);
        if (options.AddSpecial)
            ids.AddRange(_parts.Frame.After);
    }

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial)
    {
        ArrayBufferWriter<byte> bytes = new(Math.Max(16, ids.Length * 4));
        int last = ids.Length - 1;
        while (last >= 0 && _tokens.IsSilent(ids[last], skipSpecial))
            last--;
        bool isFirst = true;
        for (int i = 0; i <= last; i++)
        {
            if (_tokens.IsSilent(ids[i], skipSpecial))
                continue;
            bytes.Write(_tokens.At(ids[i], isFirst, isLast: i == last));
            isFirst = false;
        }

        return _parts.Decoder.Edges.Apply(Encoding.UTF8.GetString(bytes.WrittenSpan));
    }

    public int LongestTokenBytes => _tokens.LongestBytes;

    public ReadOnlyMemory<byte> TokenBytes(int id) => _tokens.BytesFor(id);

    public bool IsSpecial(int id) => _tokens.IsSpecial(id);

    public int? FindToken(string content) => _tokens.Find(content);

    public IDetokenizer CreateDetokenizer(bool skipSpecial, ReadOnlySpan<int> before = default)
    {
        Detokenizer detokenizer = new(_tokens, skipSpecial);
        detokenizer.Continue(before);
        return detokenizer;
    }

    /// <summary>Encodes what stands between two tokens that were found in the raw text.</summary>
    private void EncodeGap(string text, int start, int end, EncodeOptions options, ModelSink sink)
    {
        if (start >= end)
            return;

        Piece gap = new(text, start, end, AtTextStart: start == 0);
        if (_parts.Normalizer is not null)
        {
            string normalized = _parts.Normalizer.Normalize(gap.Span.ToString());
            gap = new Piece(normalized, 0, normalized.Length, gap.AtTextStart);
        }

        int from = 0;
        while (!_inNormalizedText.IsEmpty && _inNormalizedText.TryFind(gap.Span, from, options, gap.Start, out AddedTokenMatch match))
        {
            PreTokenize(gap.Part(from, Math.Max(from, match.Start)), sink);
            sink.Ids.Add(match.Id);
            from = match.End;
        }

        PreTokenize(gap.Part(from, gap.End - gap.Start), sink);
    }

    private void PreTokenize(in Piece piece, ModelSink sink)
    {
        if (piece.IsEmpty)
            return;
        if (_parts.PreTokenizer is null)
            sink.Take(piece);
        else
            _parts.PreTokenizer.Split(piece, sink);
    }

    private static string WithoutLoneSurrogates(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF'))
            return text;

        char[]? mended = null;
        for (int i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
                continue;
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
                i++;
            else
                (mended ??= text.ToCharArray())[i] = '\uFFFD';
        }

        return mended is null ? text : new string(mended);
    }

    private sealed class ModelSink(ITokenModel model, List<int> ids) : IPieceSink
    {
        public List<int> Ids => ids;

        public void Take(in Piece piece) => model.Tokenize(piece.Span, ids);
    }
}
