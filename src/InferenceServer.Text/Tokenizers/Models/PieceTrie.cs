namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>All tokens that a text begins with, in one walk. Children lie side by side, sorted: 10 bytes a node. Immutable and thread-safe.</summary>
internal sealed class PieceTrie
{
    public const int Root = 0;
    public const int None = -1;

    private readonly byte[] _labels;
    private readonly int[] _firstChild; // (nodes + 1): a node's children are [_firstChild[n], _firstChild[n + 1])
    private readonly int[] _ids;

    /// <param name="vocabulary">Whose tokens.</param>
    /// <param name="ids">Those that may be found; of two with equal content the later wins.</param>
    public PieceTrie(Vocabulary vocabulary, IEnumerable<int> ids)
    {
        int[] sorted = [.. ids.Where(id => vocabulary.Find(vocabulary.Content(id)) == id)];
        Array.Sort(sorted, (a, b) => vocabulary.Content(a).SequenceCompareTo(vocabulary.Content(b)));

        List<byte> labels = [0];
        List<int> firstChild = [];
        List<int> found = [];
        Queue<(int Low, int High, int Depth)> open = new([(0, sorted.Length, 0)]); // nodes in the order of their numbers
        while (open.TryDequeue(out (int Low, int High, int Depth) node))
        {
            int low = node.Low;
            bool ends = low < node.High && vocabulary.Content(sorted[low]).Length == node.Depth;
            found.Add(ends ? sorted[low++] : None);
            firstChild.Add(labels.Count);
            while (low < node.High)
            {
                byte label = vocabulary.Content(sorted[low])[node.Depth];
                int high = low + 1;
                while (high < node.High && vocabulary.Content(sorted[high])[node.Depth] == label)
                    high++;
                labels.Add(label);
                open.Enqueue((low, high, node.Depth + 1));
                low = high;
            }
        }

        firstChild.Add(labels.Count);
        (_labels, _firstChild, _ids) = ([.. labels], [.. firstChild], [.. found]);
    }

    /// <summary>The child of a node for a byte, or <see cref="None"/>.</summary>
    public int Child(int node, byte label)
    {
        int first = _firstChild[node];
        int at = _labels.AsSpan(first, _firstChild[node + 1] - first).IndexOf(label);
        return at < 0 ? None : first + at;
    }

    /// <summary>The token that ends at a node, or <see cref="None"/>.</summary>
    public int IdAt(int node) => _ids[node];
}
