using System.Text;
using InferenceServer.Text.Tokenizers.Models;

namespace InferenceServer.Text.Tokenizers.Decoding;

/// <summary>
/// The decoders of a file compiled to one rule: every token has its bytes, the bytes of all tokens joined are UTF-8, and the ends of
/// the text may lose a few characters. Immutable and thread-safe.
/// </summary>
internal sealed class TokenDecoder
{
    private readonly IReadOnlyList<IDecoderStep> _steps;

    /// <param name="steps">Applied to each token.</param>
    /// <param name="edges">Applied to the joined text.</param>
    public TokenDecoder(IReadOnlyList<IDecoderStep> steps, EdgeStrip edges)
    {
        (_steps, Edges) = (steps, edges);
        MindsFirst = steps.Any(static step => step.MindsFirst);
        MindsLast = steps.Any(static step => step.MindsLast);
    }

    public EdgeStrip Edges { get; }

    /// <summary>The steps are for the model's tokens; added ones read as they are written.</summary>
    public bool AddedAsWritten { get; init; }

    public bool MindsFirst { get; }

    public bool MindsLast { get; }

    /// <summary>The bytes of a token at a place in a text.</summary>
    /// <param name="content">The token as it stands in the file, UTF-8.</param>
    /// <param name="isFirst">It is the first token of the text.</param>
    /// <param name="isLast">It is the last one.</param>
    public byte[] Decode(ReadOnlySpan<byte> content, bool isFirst, bool isLast)
    {
        DecodedToken token = new(Encoding.UTF8.GetString(content));
        foreach (IDecoderStep step in _steps)
        {
            token = step.Apply(token, isFirst, isLast);
            if (token.Bytes is { } bytes)
                return bytes;
        }

        return Encoding.UTF8.GetBytes(token.Text);
    }

    /// <summary>Writes the bytes of a token in the middle of a text, without strings on the way where the file is byte-level.</summary>
    public int DecodeMiddle(ReadOnlySpan<byte> content, ref byte[] into, int at)
    {
        if (_steps is [ByteLevelStep])
        {
            Reserve(ref into, at + content.Length);
            if (!ByteAlphabet.TryDecode(content, into.AsSpan(at), out int length))
                content.CopyTo(into.AsSpan(at, length = content.Length));
            return length;
        }

        byte[] bytes = Decode(content, isFirst: false, isLast: false);
        Reserve(ref into, at + bytes.Length);
        bytes.CopyTo(into.AsSpan(at));
        return bytes.Length;
    }

    /// <summary>Makes an array at least so long; it grows by doubling.</summary>
    public static void Reserve(ref byte[] array, int length)
    {
        if (array.Length < length)
            Array.Resize(ref array, Math.Max(array.Length * 2, length));
    }
}
