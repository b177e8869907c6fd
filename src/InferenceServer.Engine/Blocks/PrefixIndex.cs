using System.Diagnostics;

namespace InferenceServer.Engine.Blocks;

/// <summary>
/// Full blocks found again by everything before them. An entry's key is (salt, parent entry, tokens), its identity a number
/// never used twice; equal keys therefore mean equal histories, token for token, because lookup compares the tokens
/// and the parent's identity, not only a hash: a collision costs a comparison and can never serve a wrong prefix.
/// The chaining is vLLM's automatic prefix caching, with identities in place of its parent hashes.
/// Chained buckets over arrays: nothing is allocated after construction. Owned by the engine thread.
/// </summary>
internal sealed class PrefixIndex
{
    /// <summary>The parent of a first block.</summary>
    public const long Root = 0;

    private readonly int _blockSize;
    private readonly ulong _hashMask;
    private readonly int[] _buckets; // first block of each bucket, -1 when empty; a power of two
    private readonly int[] _nextInBucket; // (blocks)
    private readonly ulong[] _hashes; // (blocks)
    private readonly ulong[] _salts; // (blocks)
    private readonly long[] _parents; // (blocks)
    private readonly long[] _entries; // (blocks) identity; 0 when the block is not in the index
    private readonly int[] _tokens; // (blocks, blockSize)
    private long _lastEntry = Root;

    /// <param name="blockCount">Of the pool.</param>
    /// <param name="blockSize">Tokens a block.</param>
    /// <param name="hashMask">Tests narrow it, so that hashes collide all the time.</param>
    public PrefixIndex(int blockCount, int blockSize, ulong hashMask = ulong.MaxValue)
    {
        _hashMask = hashMask;
        _blockSize = blockSize;
        _buckets = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)blockCount * 2)];
        Array.Fill(_buckets, -1);
        _nextInBucket = new int[blockCount];
        _hashes = new ulong[blockCount];
        _salts = new ulong[blockCount];
        _parents = new long[blockCount];
        _entries = new long[blockCount];
        _tokens = new int[checked(blockCount * blockSize)];
    }

    public int Count { get; private set; }

    public bool Contains(int block) => _entries[block] != 0;

    /// <summary>Identity of a block's entry, to chain the next block on; 0 when it has none.</summary>
    public long EntryOf(int block) => _entries[block];

    public long ParentOf(int block) => _parents[block];

    public ulong SaltOf(int block) => _salts[block];

    public ReadOnlySpan<int> TokensOf(int block) => _tokens.AsSpan(block * _blockSize, _blockSize);

    /// <summary>The block that holds exactly these tokens after exactly this parent, or -1.</summary>
    /// <param name="salt">Of the request.</param>
    /// <param name="parent">Entry of the block before, or <see cref="Root"/>.</param>
    /// <param name="tokens">(blockSize)</param>
    public int Find(ulong salt, long parent, ReadOnlySpan<int> tokens)
    {
        ulong hash = Hash(salt, parent, tokens);
        for (int block = _buckets[Bucket(hash)]; block >= 0; block = _nextInBucket[block])
        {
            if (_hashes[block] == hash && _parents[block] == parent && _salts[block] == salt && TokensOf(block).SequenceEqual(tokens))
                return block;
        }

        return -1;
    }

    /// <summary>Adds a block whose key is not in the index yet.</summary>
    public void Add(int block, ulong salt, long parent, ReadOnlySpan<int> tokens)
    {
        Debug.Assert(!Contains(block) && Find(salt, parent, tokens) < 0, "One entry a block, one block a key.");
        ulong hash = Hash(salt, parent, tokens);
        ref int bucket = ref _buckets[Bucket(hash)];
        _nextInBucket[block] = bucket;
        bucket = block;
        _hashes[block] = hash;
        _salts[block] = salt;
        _parents[block] = parent;
        _entries[block] = ++_lastEntry;
        tokens.CopyTo(_tokens.AsSpan(block * _blockSize, _blockSize));
        Count++;
    }

    public void Remove(int block)
    {
        Debug.Assert(Contains(block), "Only what was added is removed.");
        ref int link = ref _buckets[Bucket(_hashes[block])];
        while (link != block) link = ref _nextInBucket[link];
        link = _nextInBucket[block];
        _entries[block] = 0;
        Count--;
    }

    private int Bucket(ulong hash) => (int)(hash & (ulong)(_buckets.Length - 1));

    /// <summary>Multiply and fold (wyhash's mixing step) over the key; spread matters here, secrecy does not.</summary>
    private ulong Hash(ulong salt, long parent, ReadOnlySpan<int> tokens)
    {
        const ulong Odd0 = 0xA0761D6478BD642F, Odd1 = 0xE7037ED1A0B428DB; // wyhash's constants
        ulong hash = Fold(salt ^ Odd0, (ulong)parent ^ Odd1);
        foreach (int token in tokens) hash = Fold(hash ^ (uint)token ^ Odd0, Odd1);
        return hash & _hashMask;
    }

    private static ulong Fold(ulong left, ulong right)
    {
        ulong high = Math.BigMul(left, right, out ulong low);
        return high ^ low;
    }
}
