using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;

namespace InferenceServer.Cpu.Ops;

/// <summary>Some adjacent tokens of one sequence over some adjacent tiles, for each KV head.</summary>
/// <param name="Sequence">Index in the step.</param>
/// <param name="FirstToken">Index in the step.</param>
/// <param name="Tokens">How many.</param>
/// <param name="FirstTile">Of the tokens' tiles.</param>
/// <param name="EndTile">One past the last.</param>
/// <param name="Partials">Floats before the partial results of the first tile, if others compute the rest; -1 if this piece is all.</param>
internal readonly record struct AttentionPiece(int Sequence, int FirstToken, int Tokens, int FirstTile, int EndTile, long Partials);

/// <summary>
/// A step's attention cut into pieces. The cut decides who computes what, never what is computed: a tile's partial result is the same
/// wherever it comes from, and partial results are merged in the order of positions. So it may look at the whole step for balance.
/// </summary>
internal sealed class AttentionCut
{
    /// <summary>
    /// Rows that share one reading of keys and values from the caches. Sixteen read them at 2 bytes a cycle at most, far below what the second level
    /// gives, and their scores of a tile (16 KB) stay in the first.
    /// </summary>
    public const int RowsTogether = 16;

    /// <summary>Above so many items there is work enough for 64 threads, and a chunk's tiles stay together.</summary>
    private const int ItemsWanted = 256;

    /// <summary>Floats of partial results, 16 MB: chunks that would need more are not split.</summary>
    private const long MaxPartials = 4 << 20;

    private AttentionPiece[] _pieces = [];

    /// <summary>Pieces in the order in which they are to be handed out.</summary>
    public ReadOnlySpan<AttentionPiece> Pieces => _pieces.AsSpan(0, Count);

    public int Count { get; private set; }

    /// <summary>Of these pieces, how many begin a chunk that several pieces share.</summary>
    public int SharedChunks { get; private set; }

    /// <summary>Floats that partial results take.</summary>
    public long Partials { get; private set; }

    /// <summary>Positions that tokens see, summed over tokens.</summary>
    public long Positions { get; private set; }

    public void Cut(StepPlan plan, AttentionShape shape, CpuKvCache cache)
    {
        (Count, SharedChunks, Partials, Positions) = (0, 0, 0, 0);
        int queries = shape.Heads / shape.KvHeads, together = Math.Max(1, RowsTogether / queries);
        int chunks = 0;
        for (int s = 0; s < plan.SequenceCount; s++) chunks += (plan.Sequences[s].TokenCount + together - 1) / together;
        for (int s = 0; s < plan.SequenceCount; s++)
        {
            ref StepSequence sequence = ref plan.Sequences[s];
            Positions += (long)sequence.TokenCount * (sequence.ComputedTokens + sequence.TokenCount);
            // From the last chunk, which sees most, to the first: small pieces at the end even out what threads have left.
            for (int begin = (sequence.TokenCount - 1) / together * together; begin >= 0 && sequence.TokenCount > 0; begin -= together)
            {
                int tokens = Math.Min(together, sequence.TokenCount - begin);
                AddChunk(s, sequence.FirstToken + begin, tokens, sequence.ComputedTokens + begin, shape, cache, chunks * shape.KvHeads < ItemsWanted);
            }
        }
    }

    private void AddChunk(int sequence, int firstToken, int tokens, int position, AttentionShape shape, CpuKvCache cache, bool mayShare)
    {
        int firstTile = TileOf(FirstSeen(position, shape.Window), cache), endTile = TileOf(position + tokens - 1, cache) + 1;
        long partials = (endTile - firstTile) * shape.KvHeads * AttentionRows.Floats(tokens * (shape.Heads / shape.KvHeads), shape.HeadDim);
        if (!mayShare || endTile - firstTile == 1 || Partials + partials > MaxPartials)
        {
            Add(new AttentionPiece(sequence, firstToken, tokens, firstTile, endTile, -1));
            return;
        }

        SharedChunks++;
        for (int tile = firstTile; tile < endTile; tile++)
            Add(new AttentionPiece(sequence, firstToken, tokens, tile, tile + 1, Partials + partials / (endTile - firstTile) * (tile - firstTile)));
        Partials += partials;
    }

    private void Add(AttentionPiece piece)
    {
        if (Count == _pieces.Length) Array.Resize(ref _pieces, Math.Max(64, 2 * Count));
        _pieces[Count++] = piece;
    }

    public static int FirstSeen(int position, int window) => window > 0 ? Math.Max(0, position - window + 1) : 0;

    public static int GroupOf(int position, CpuKvCache cache)
    {
        int size = cache.Shape.BlockSize;
        return position / size * cache.GroupsPerBlock + position % size / Tile.GroupRows;
    }

    public static int TileOf(int position, CpuKvCache cache) => GroupOf(position, cache) / AttentionKernels.TileGroups;
}
