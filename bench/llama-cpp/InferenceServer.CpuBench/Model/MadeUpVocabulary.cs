namespace InferenceServer.CpuBench.Model;

/// <summary>
/// Tokens in the manner of SentencePiece: unknown, begin and end, a token for each byte, the printable characters of ASCII, then made-up words of two and
/// three letters, each with and without a space before it, every one reachable by merging two shorter ones.
/// </summary>
internal sealed class MadeUpVocabulary
{
    public const int Unknown = 0, Begin = 1, End = 2;

    private const int TypeNormal = 1, TypeUnknown = 2, TypeControl = 3, TypeByte = 6;
    private const string Space = "▁"; // U+2581, SentencePiece's space

    private readonly List<string> _tokens = [];
    private readonly List<float> _scores = [];
    private readonly List<int> _types = [];

    /// <exception cref="BenchException">More tokens than there are made-up words.</exception>
    public MadeUpVocabulary(int size)
    {
        Add("<unk>", TypeUnknown, 0);
        Add("<s>", TypeControl, 0);
        Add("</s>", TypeControl, 0);
        for (int value = 0; value < 256; value++) Add($"<0x{value:X2}>", TypeByte, 0);
        int firstWord = _tokens.Count;
        // A word is better the earlier it comes: its score is its negated place.
        foreach (string word in Words().Take(size - firstWord)) Add(word, TypeNormal, firstWord - _tokens.Count);
        if (_tokens.Count != size) throw new BenchException($"{size} tokens are more than the {_tokens.Count} that can be made up.");
    }

    public IReadOnlyList<string> Tokens => _tokens;

    public IReadOnlyList<float> Scores => _scores;

    public IReadOnlyList<int> Types => _types;

    private void Add(string token, int type, float score)
    {
        _tokens.Add(token);
        _types.Add(type);
        _scores.Add(score);
    }

    private static IEnumerable<string> Words()
    {
        yield return Space;
        for (char c = '!'; c <= '~'; c++) yield return c.ToString();
        List<string> words = [.. Letters()];
        foreach (string letter in words) yield return Space + letter;
        for (int length = 2; length <= 3; length++)
        {
            words = [.. words.SelectMany(_ => Letters(), (word, letter) => word + letter)];
            foreach (string word in words) yield return word;
            foreach (string word in words) yield return Space + word;
        }
    }

    private static IEnumerable<string> Letters()
    {
        for (char c = 'a'; c <= 'z'; c++) yield return c.ToString();
    }
}
