using System.Diagnostics;

namespace InferenceServer.Engine.Blocks;

/// <summary>
/// The KV pool's blocks: who holds them, which are free, which free ones still hold a prefix worth finding.
/// A block is written by one owner while it fills; once full and published it is never written again until it is evicted.
/// Paging is Kwon et al., "Efficient Memory Management for LLM Serving with PagedAttention" (SOSP 2023). Owned by the engine thread.
/// </summary>
internal sealed class BlockPool
{
    private readonly int[] _references; // (blocks)
    private readonly FreeBlockList _free;
    private readonly PrefixIndex _index;
    private readonly bool _cachePrefixes;

    public BlockPool(int blockCount, int blockSize, bool cachePrefixes)
    {
        BlockCount = blockCount;
        BlockSize = blockSize;
        _cachePrefixes = cachePrefixes;
        _references = new int[blockCount];
        _free = new FreeBlockList(blockCount);
        _index = new PrefixIndex(blockCount, blockSize);
        for (int block = 0; block < blockCount; block++) _free.PushLast(block);
    }

    public int BlockCount { get; }

    public int BlockSize { get; }

    public bool CachesPrefixes => _cachePrefixes;

    /// <summary>Without an owner, cached ones included: what can be allocated now.</summary>
    public int FreeCount => _free.Count;

    /// <summary>Free blocks whose content can still be found.</summary>
    public int FreeCachedCount { get; private set; }

    public PrefixIndex Index => _index;

    public int References(int block) => _references[block];

    public int BlocksFor(int tokens) => (tokens + BlockSize - 1) / BlockSize;

    /// <summary>A block with one reference and no meaning. The caller has made sure that one is free.</summary>
    public int Allocate()
    {
        int block = _free.First;
        Debug.Assert(block >= 0, "Ask FreeCount first.");
        _free.Remove(block);
        if (_index.Contains(block))
        {
            _index.Remove(block);
            FreeCachedCount--;
        }

        _references[block] = 1;
        return block;
    }

    /// <summary>One more owner; revives a cached block without one.</summary>
    public void Retain(int block)
    {
        if (_references[block]++ > 0) return;
        Debug.Assert(_index.Contains(block), "Only cached content is worth reviving.");
        _free.Remove(block);
        FreeCachedCount--;
    }

    public void Release(int block)
    {
        Debug.Assert(_references[block] > 0, "Nobody gives back what nobody holds.");
        if (--_references[block] > 0) return;
        if (_index.Contains(block))
        {
            _free.PushLast(block);
            FreeCachedCount++;
        }
        else
        {
            _free.PushFirst(block);
        }
    }

    /// <summary>Gives back a table, last block first, so that the prefix, the part worth sharing, is evicted last.</summary>
    public void ReleaseTable(ReadOnlySpan<int> table)
    {
        for (int i = table.Length - 1; i >= 0; i--) Release(table[i]);
    }

    /// <summary>The block that holds these tokens after this parent, or -1.</summary>
    public int Find(ulong salt, long parent, ReadOnlySpan<int> tokens) => _cachePrefixes ? _index.Find(salt, parent, tokens) : -1;

    /// <summary>
    /// Makes a full, computed block findable. Returns the entry to chain the next block on: the block's own,
    /// or that of an equal block which came first and stays the one to be found.
    /// </summary>
    public long Publish(int block, ulong salt, long parent, ReadOnlySpan<int> tokens)
    {
        Debug.Assert(_references[block] > 0, "Only an owner publishes.");
        if (!_cachePrefixes) return PrefixIndex.Root;
        int equal = _index.Find(salt, parent, tokens);
        if (equal >= 0) return _index.EntryOf(equal);
        _index.Add(block, salt, parent, tokens);
        return _index.EntryOf(block);
    }

    /// <summary>Free blocks in the order they will be reused.</summary>
    public int[] FreeSnapshot() => _free.Snapshot();
}
