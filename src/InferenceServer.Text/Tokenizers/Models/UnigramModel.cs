using System.Text;

namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>
/// The split of highest likelihood, by Viterbi over byte positions. Kudo 2018, <see href="https://arxiv.org/abs/1804.10959"/>;
/// details as in Hugging Face's <c>unigram/model.rs</c>. Immutable and thread-safe.
/// </summary>
internal sealed class UnigramModel : ITokenModel
{
    // sentencepiece's kUnkPenalty.
    private const double UnknownPenalty = 10.0;

    private readonly PieceTrie _trie;
    private readonly List<double> _scores;
    private readonly double _unknownScore;
    private readonly int _unknownId;
    private readonly bool _byteLevel;
    private readonly int[]? _byteIds;

    public UnigramModel(Vocabulary vocabulary, List<double> scores, int unknownId, bool byteFallback, bool byteLevel, IReadOnlySet<int> special)
    {
        (_scores, _unknownId, _byteLevel) = (scores, unknownId, byteLevel);
        _trie = new PieceTrie(vocabulary, Enumerable.Range(0, vocabulary.Size).Where(id => !special.Contains(id) && vocabulary.Content(id).Length > 0));
        _unknownScore = (scores.Count > 0 ? scores.Min() : 0) - UnknownPenalty;
        int[] bytes = [.. Enumerable.Range(0, 256).Select(b => vocabulary.Find(Encoding.UTF8.GetBytes($"<0x{b:X2}>")))];
        _byteIds = byteFallback && !bytes.Contains(-1) ? bytes : null;
    }

    public void Tokenize(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (_byteLevel)
            piece = ByteAlphabet.Encode(piece);
        byte[] text = ScratchPool.Rent<byte>(piece.Length * 3);
        int length = Encoding.UTF8.GetBytes(piece, text);
        Node[] nodes = ScratchPool.Rent<Node>(length + 1);
        FindBest(text.AsSpan(0, length), nodes);
        int first = ids.Count;
        Backtrack(text, length, nodes, ids);
        ids.Reverse(first, ids.Count - first);
        ScratchPool.Return(nodes);
        ScratchPool.Return(text);
    }

    private void FindBest(ReadOnlySpan<byte> text, Span<Node> nodes)
    {
        nodes[..(text.Length + 1)].Fill(new Node { Start = -1 });
        nodes[0] = default;
        for (int start = 0; start < text.Length;)
        {
            Rune.DecodeFromUtf8(text[start..], out _, out int runeLength);
            double score = nodes[start].Score;
            bool hasRune = false;
            int node = PieceTrie.Root;
            for (int end = start; end < text.Length && (node = _trie.Child(node, text[end])) != PieceTrie.None;)
            {
                end++;
                int id = _trie.IdAt(node);
                if (id == PieceTrie.None)
                    continue;
                nodes[end].Offer(start, id, score + _scores[id]);
                hasRune |= end - start == runeLength;
            }

            if (!hasRune)
                nodes[start + runeLength].Offer(start, -1, score + _unknownScore);
            start += runeLength;
        }
    }

    /// <summary>Appends ids from the last to the first; a run of unknown characters is one unknown.</summary>
    private void Backtrack(ReadOnlySpan<byte> text, int length, ReadOnlySpan<Node> nodes, List<int> ids)
    {
        for (int end = length; end > 0;)
        {
            Node node = nodes[end];
            if (node.Id >= 0 && node.Id != _unknownId)
            {
                ids.Add(node.Id);
                end = node.Start;
                continue;
            }

            int start = node.Start;
            while (start > 0 && (nodes[start].Id < 0 || nodes[start].Id == _unknownId))
                start = nodes[start].Start;
            if (_byteIds is not null)
                for (int i = end - 1; i >= start; i--)
                    ids.Add(_byteIds[text[i]]);
            else if (_unknownId >= 0)
                ids.Add(_unknownId);
            end = start;
        }
    }

    private struct Node
    {
        public int Start; // where the best token that ends here begins; -1: none ends here
        public int Id;    // -1: an unknown character
        public double Score;

        public void Offer(int start, int id, double score)
        {
            if (Start < 0 || score > Score)
                (Start, Id, Score) = (start, id, score);
        }
    }
}
