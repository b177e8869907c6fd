using InferenceServer.Text.Tokenizers.Models;
using InferenceServer.Text.Tokenizers.Patterns;

namespace InferenceServer.Text.Tokenizers.PreTokenizing;

/// <summary>GPT-2's pre-tokenizer: a space in front if asked, its pattern if asked, and bytes in place of characters.</summary>
/// <param name="addPrefixSpace">A piece that does not begin with a space gets one.</param>
/// <param name="useRegex">Cut by GPT-2's pattern.</param>
/// <param name="writesStandIns">
/// False where nothing but the model follows: the model then takes plain text and does the bytes itself, which saves a copy.
/// </param>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool useRegex, bool writesStandIns) : IPreTokenizer
{
    private const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private static readonly PatternSplit Gpt2Split = new(TextPatterns.OfRegex(Gpt2), SplitBehavior.Isolated);

    public void Split(in Piece piece, IPieceSink sink)
    {
        Piece spaced = piece;
        if (addPrefixSpace && piece.Span[0] != ' ')
        {
            string text = string.Concat(" ", piece.Span);
            spaced = new Piece(text, 0, text.Length, piece.AtTextStart);
        }

        if (writesStandIns)
            sink = new Writer(sink);
        if (useRegex)
            Gpt2Split.Split(spaced, sink);
        else
            sink.Take(spaced);
    }

    private sealed class Writer(IPieceSink next) : IPieceSink
    {
        public void Take(in Piece piece)
        {
            string text = ByteAlphabet.Encode(piece.Span);
            next.Take(new Piece(text, 0, text.Length, piece.AtTextStart));
        }
    }
}
