using System.Text;

namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>Byte-pair encoding over bytes or characters, as Hugging Face's <c>tokenizers</c> does it. Immutable but for its cache, thread-safe.</summary>
internal sealed class BpeModel : ITokenModel
{
    private const char Metaspace = '▁';

    private readonly BpeOptions _options;
    private readonly MergeTable _merges;
    private readonly AtomTable _atoms;
    private readonly ByteStringIndex? _wholePieces; // only with ignore_merges
    private readonly int _wholePieceMost;
    private readonly bool _splitsAtMetaspace;
    private readonly WordCache _cache = new();

    /// <summary>Text never becomes one of the ids in <paramref name="special"/> through the model.</summary>
    public BpeModel(Vocabulary vocabulary, BpeMerges merges, BpeOptions options, IReadOnlySet<int> special)
    {
        _options = options;
        _merges = merges.Table;
        _atoms = new AtomTable(vocabulary, options, special);
        _splitsAtMetaspace = !options.ByteLevel && !merges.JoinAtMetaspace && (options.UnknownId < 0 || !options.FuseUnknown || _atoms.HasAllBytes)
            && options.ContinuingPrefix.Length == 0 && options.EndSuffix.Length == 0;
        if (options.IgnoreMerges)
        {
            _wholePieces = WholePieces.Index(vocabulary, options.ByteLevel, special);
            _wholePieceMost = vocabulary.LongestToken;
        }
    }

    public void Tokenize(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (!_splitsAtMetaspace)
        {
            TokenizeWord(piece, ids);
            return;
        }

        if (_wholePieces is not null && TryWholePiece(piece, ids))
            return;

        // No merge joins "x" and "▁", so a border before each run of ▁ changes no token, and makes words that the cache knows.
        while (!piece.IsEmpty)
        {
            int end = WordEnd(piece);
            TokenizeWord(piece[..end], ids);
            piece = piece[end..];
        }
    }

    private static int WordEnd(ReadOnlySpan<char> piece)
    {
        int text = piece.IndexOfAnyExcept(Metaspace);
        if (text < 0)
            return piece.Length;
        int next = piece[text..].IndexOf(Metaspace);
        return next < 0 ? piece.Length : text + next;
    }

    private void TokenizeWord(ReadOnlySpan<char> word, List<int> ids)
    {
        if (word.Length > WordCache.WordLengthMost)
        {
            Merge(word, ids, cacheHash: null);
            return;
        }

        ulong hash = WordCache.HashOf(word);
        if (!_cache.TryGet(word, hash, ids))
            Merge(word, ids, hash);
    }

    private void Merge(ReadOnlySpan<char> word, List<int> ids, ulong? cacheHash)
    {
        if (_wholePieces is not null && TryWholePiece(word, ids))
        {
            if (cacheHash is ulong wholeHash)
                _cache.Put(word, wholeHash, [ids[^1]]);
            return;
        }

        // A UTF-16 unit is at most three atoms (bytes); one more for an unknown token that is still pending at the end.
        int atomsMost = word.Length * 3 + 1;
        int[]? rented = atomsMost > 256 ? ScratchPool.Rent<int>(atomsMost) : null;
        Span<int> atoms = rented ?? stackalloc int[256];
        int count = MergeLoop.Run(_merges, atoms[.._atoms.Write(word, atoms)]);
        if (atoms[..count].ContainsAnyInRange(_options.LettersFrom, int.MaxValue))
            count = _atoms.SpellLetters(atoms, count);
        CollectionExtensions.AddRange(ids, atoms[..count]);
        if (cacheHash is ulong hash)
            _cache.Put(word, hash, atoms[..count]);
        if (rented is not null)
            ScratchPool.Return(rented);
    }

    private bool TryWholePiece(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (piece.Length > _wholePieceMost)
            return false;

        int most = piece.Length * 3;
        byte[]? rented = most > 512 ? ScratchPool.Rent<byte>(most) : null;
        Span<byte> bytes = rented ?? stackalloc byte[512];
        int id = _wholePieces!.Find(bytes[..Encoding.UTF8.GetBytes(piece, bytes)]);
        if (rented is not null)
            ScratchPool.Return(rented);
        if (id < 0)
            return false;
        ids.Add(id);
        return true;
    }
}
