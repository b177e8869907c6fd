using System.Text;
using InferenceServer.Text.Tokenizers.Models;

namespace InferenceServer.Text.Tokenizers.Loading;

/// <summary>Pairs of tokens, best first, to a merge table; every complaint names the pair.</summary>
/// <param name="vocabulary">Sealed.</param>
/// <param name="field">What error messages call the list of pairs.</param>
/// <param name="vocabularyField">What they call the vocabulary.</param>
/// <param name="continuingPrefix">Goes from the right token when the two are joined.</param>
/// <param name="special">Ids that text must never become by merging.</param>
internal sealed class MergeBuilder(Vocabulary vocabulary, string field, string vocabularyField, string continuingPrefix, IReadOnlySet<int> special)
{
    private readonly byte[] _joined = new byte[2 * vocabulary.LongestToken];
    private readonly int _prefixLength = Encoding.UTF8.GetByteCount(continuingPrefix);
    private readonly List<(int Left, int Right, int Rank, int Merged)> _merges = [];
    private int _rank;
    private bool _joinAtMetaspace;

    /// <summary>Adds "left right".</summary>
    public void Add(ReadOnlySpan<byte> line)
    {
        int space = line.IndexOf((byte)' ');
        if (space <= 0 || space == line.Length - 1 || line[(space + 1)..].Contains((byte)' '))
            throw new InvalidDataException($"\"{field}[{_rank}]\" is \"{Show(line)}\"; expected two tokens with one space between.");
        Add(Find(line[..space]), Find(line[(space + 1)..]));
    }

    /// <summary>Adds a pair of ids that <see cref="Find"/> gave.</summary>
    public void Add(int left, int right)
    {
        int merged = Join(left, right);
        if (!special.Contains(merged))
            _merges.Add((left, right, _rank, merged));
        _rank++;
    }

    /// <summary>The id of a side of the next pair.</summary>
    public int Find(ReadOnlySpan<byte> token) => vocabulary.Find(token) is >= 0 and int id
        ? id
        : throw new InvalidDataException($"\"{field}[{_rank}]\" names \"{Show(token)}\", which is not in \"{vocabularyField}\".");

    /// <summary>A complaint about the next pair.</summary>
    public InvalidDataException Expected(string sentence) => new($"\"{field}[{_rank}]\" {sentence}");

    /// <param name="firstWins">Of two equal pairs the first counts, not the last.</param>
    public BpeMerges Build(bool firstWins = false)
    {
        if (firstWins)
            _merges.Reverse();
        MergeTable table = new(_merges.Count);
        foreach ((int left, int right, int rank, int merged) in _merges)
            table.Add(left, right, rank, merged);
        return new BpeMerges(table, _joinAtMetaspace);
    }

    private int Join(int left, int right)
    {
        ReadOnlySpan<byte> head = vocabulary.Content(left);
        ReadOnlySpan<byte> tail = vocabulary.Content(right);
        if (tail.Length < _prefixLength)
            throw new InvalidDataException($"\"{field}[{_rank}]\": \"{Show(tail)}\" is shorter than the continuing prefix.");
        _joinAtMetaspace |= tail.StartsWith("▁"u8) && !head.EndsWith("▁"u8);
        tail = tail[_prefixLength..];
        head.CopyTo(_joined);
        tail.CopyTo(_joined.AsSpan(head.Length));
        return Find(_joined.AsSpan(0, head.Length + tail.Length));
    }

    private static string Show(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text[..Math.Min(text.Length, 60)]);
}
