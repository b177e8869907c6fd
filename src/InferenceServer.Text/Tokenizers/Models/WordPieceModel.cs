using System.Text;

namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>BERT's model: the longest token that fits, then the longest continuation, or one unknown for the whole word. Immutable and thread-safe.</summary>
internal sealed class WordPieceModel(
    Vocabulary vocabulary, int unknownId, string continuingPrefix, int longestWord, bool byteLevel, IReadOnlySet<int> special) : ITokenModel
{
    public void Tokenize(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (byteLevel)
            piece = ByteAlphabet.Encode(piece);
        int first = ids.Count;
        int characters = 0;
        foreach (Rune _ in piece.EnumerateRunes())
            characters++;
        if (characters > longestWord || !TryMatch(piece, ids))
        {
            ids.RemoveRange(first, ids.Count - first);
            ids.Add(unknownId);
        }
    }

    private bool TryMatch(ReadOnlySpan<char> piece, List<int> ids)
    {
        for (int start = 0; start < piece.Length;)
        {
            int end = piece.Length;
            int id = -1;
            for (; end > start && id < 0; end--)
            {
                id = vocabulary.Find(Encoding.UTF8.GetBytes((start > 0 ? continuingPrefix : "") + piece[start..end].ToString()));
                if (id >= 0 && !special.Contains(id))
                    break;
                id = -1;
            }

            if (id < 0)
                return false;
            ids.Add(id);
            start = end;
        }

        return true;
    }
}
