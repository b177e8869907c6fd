using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>
/// Paged attention. Items: (a few adjacent tokens of one sequence) x (one KV head with all query heads that share it), so that keys and
/// values are read once for both. Batch invariance: each (token, head) walks tiles of four key groups at fixed absolute positions, whichever
/// chunk of the prompt it came in and wherever its blocks lie; positions outside its window are never multiplied, so stale memory cannot leak in.
/// </summary>
internal sealed unsafe class AttentionJob(Workspace workspace) : ParallelJob
{
    /// <summary>What the widest kernel takes: tokens that see a whole tile pass over it together.</summary>
    private const int TokensTogether = 6;

    private const int GroupsPerTile = 4;
    private const int TilePositions = GroupsPerTile * Tile.GroupRows;

    private CpuActivation _qkv = null!;
    private CpuActivation _output = null!;
    private AttentionShape _shape = null!;
    private CpuKvCache _cache = null!;
    private KernelTable _kernels = null!;
    private StepPlan _plan = null!;
    private int _layer;
    private (int Sequence, int FirstToken, int Tokens)[] _chunks = [];
    private int _chunkCount;
    private long _positions;

    /// <summary>Cuts the step's tokens into items. Once a step.</summary>
    public void Prepare(StepPlan plan)
    {
        if (_chunks.Length < plan.TokenIds.Length) _chunks = new (int, int, int)[plan.TokenIds.Length];
        (_plan, _chunkCount, _positions) = (plan, 0, 0);
        for (int s = 0; s < plan.SequenceCount; s++)
        {
            ref StepSequence sequence = ref plan.Sequences[s];
            _positions += (long)sequence.TokenCount * (sequence.ComputedTokens + sequence.TokenCount);
            int end = sequence.FirstToken + sequence.TokenCount;
            for (int token = sequence.FirstToken; token < end; token += TokensTogether)
                _chunks[_chunkCount++] = (s, token, Math.Min(TokensTogether, end - token));
        }
    }

    public void Run(
        ForkJoinPool pool, KernelTable kernels, CpuActivation qkv, AttentionShape shape, CpuKvCache cache, int layer, CpuActivation output)
    {
        (_kernels, _qkv, _shape, _cache, _layer, _output) = (kernels, qkv, shape, cache, layer, output);
        int queries = shape.Heads / shape.KvHeads;
        workspace.Reserve((long)queries * TokensTogether * (TilePositions + cache.ValueStride + 2));
        pool.Run(this, _chunkCount * shape.KvHeads, 1, _positions * shape.QueryColumns * 2);
    }

    public override void Execute(int begin, int end, int worker)
    {
        for (int item = begin; item < end; item++) Attend(_chunks[item / _shape.KvHeads], item % _shape.KvHeads, workspace[worker]);
    }

    private void Attend((int Sequence, int FirstToken, int Tokens) chunk, int kvHead, float* scratch)
    {
        int queries = _shape.Heads / _shape.KvHeads, rows = queries * chunk.Tokens, stride = _cache.ValueStride;
        float* scores = scratch, maxima = scores + rows * TilePositions, sums = maxima + rows, totals = sums + rows;
        new Span<float>(maxima, rows).Fill(float.NegativeInfinity);
        new Span<float>(sums, rows + rows * stride).Clear();
        int[] table = _plan.Sequences[chunk.Sequence].BlockTable;
        int first = _plan.Positions[chunk.FirstToken], last = first + chunk.Tokens - 1;
        for (int tile = TileOf(FirstSeen(first)); tile <= TileOf(last); tile++)
        {
            bool wholeForAll = tile > TileOf(FirstSeen(last)) && tile < TileOf(first);
            int together = wholeForAll ? chunk.Tokens : 1;
            for (int t = 0; t < chunk.Tokens; t += together)
            {
                int row = t * queries;
                AttendTile(table, tile, chunk.FirstToken + t, together, kvHead, scores, maxima + row, sums + row, totals + row * stride);
            }
        }

        for (int row = 0; row < rows; row++)
        {
            float* total = totals + row * stride;
            Softmax.Scale(total, stride, 1f / sums[row]);
            float* output = _output.Row(chunk.FirstToken + row / queries) + (kvHead * queries + row % queries) * _shape.HeadDim;
            new ReadOnlySpan<float>(total, _shape.HeadDim).CopyTo(new Span<float>(output, _shape.HeadDim));
        }
    }

    /// <summary>
    /// The query heads of one token, or of adjacent tokens that all see the whole tile, over one tile of positions. Rows of scores,
    /// maxima, sums and totals are (tokens, queries).
    /// </summary>
    private void AttendTile(int[] table, int tile, int token, int tokens, int kvHead, float* scores, float* maxima, float* sums, float* totals)
    {
        int position = _plan.Positions[token], first = FirstSeen(position + tokens - 1);
        if (TileOf(first) > tile || TileOf(position) < tile) return;
        int queries = _shape.Heads / _shape.KvHeads, rows = tokens * queries;
        float* query = _qkv.Row(token) + kvHead * queries * _shape.HeadDim;
        for (int g = 0; g < GroupsPerTile; g++)
        {
            float* groupScores = scores + g * Tile.GroupRows;
            GroupRange range = Range(tile * GroupsPerTile + g, first, position);
            if (!range.IsEmpty) Score(KeyGroup(table, range, kvHead), query, queries, tokens, groupScores);
            for (int row = 0; row < rows; row++) Mask(new Span<float>(groupScores + row * TilePositions, Tile.GroupRows), range);
        }

        for (int row = 0; row < rows; row++)
        {
            float correction = Softmax.Advance(scores + row * TilePositions, TilePositions, _shape.Scale, ref maxima[row], ref sums[row]);
            if (correction != 1f) Softmax.Scale(totals + row * _cache.ValueStride, _cache.ValueStride, correction);
        }

        for (int g = 0; g < GroupsPerTile; g++)
        {
            GroupRange range = Range(tile * GroupsPerTile + g, first, position);
            if (range.IsEmpty) continue;
            float* values = _cache.Values(_layer, Block(table, range.Block), kvHead)
                + (long)(range.Offset + range.Low) * _cache.ValueStride;
            Weigh(values, range.High - range.Low, scores + g * Tile.GroupRows + range.Low, rows, totals);
        }
    }

    /// <summary>scores (tokens, queries, 16) of one group of keys: all heads of a token at once, or all tokens of a head.</summary>
    private void Score(float* keys, float* query, int queries, int tokens, float* scores)
    {
        bool byToken = tokens == 1;
        Tile tile = new()
        {
            Weights = (byte*)keys,
            WordStride = Tile.GroupRows * sizeof(float),
            Groups = 1,
            InputStride = byToken ? _shape.HeadDim : _qkv.Stride,
            Rows = byToken ? queries : tokens,
            Columns = _shape.HeadDim,
            OutputStride = byToken ? TilePositions : queries * TilePositions,
        };
        for (int i = 0; i < (byToken ? 1 : queries); i++)
        {
            tile.Input = query + i * _shape.HeadDim;
            tile.Output = scores + i * TilePositions;
            _kernels.MultiplyF32(&tile);
        }
    }

    /// <summary>totals (rows, ValueStride) += probabilities x values.</summary>
    private void Weigh(float* values, int positions, float* probabilities, int rows, float* totals)
    {
        Tile tile = new()
        {
            Weights = (byte*)values,
            GroupStride = Tile.GroupRows * sizeof(float),
            WordStride = _cache.ValueStride * sizeof(float),
            Groups = _cache.ValueStride / Tile.GroupRows,
            Input = probabilities,
            InputStride = TilePositions,
            Rows = rows,
            Columns = positions,
            Output = totals,
            OutputStride = _cache.ValueStride,
            Accumulate = true,
        };
        _kernels.MultiplyF32(&tile);
    }

    private float* KeyGroup(int[] table, GroupRange range, int kvHead) =>
        _cache.Keys(_layer, Block(table, range.Block), kvHead) + (long)range.Offset * _shape.HeadDim;

    private int Block(int[] table, int logical)
    {
        int block = table[logical];
        if ((uint)block >= (uint)_cache.Shape.BlockCount)
            throw new ArgumentException($"Step {_plan.StepIndex}: a block table names block {block}; the cache has {_cache.Shape.BlockCount}.");
        return block;
    }

    private int FirstSeen(int position) => _shape.Window > 0 ? Math.Max(0, position - _shape.Window + 1) : 0;

    private int TileOf(int position)
    {
        int size = _cache.Shape.BlockSize;
        return (position / size * _cache.GroupsPerBlock + position % size / Tile.GroupRows) / GroupsPerTile;
    }

    private GroupRange Range(int group, int first, int last)
    {
        int size = _cache.Shape.BlockSize, block = group / _cache.GroupsPerBlock, offset = group % _cache.GroupsPerBlock * Tile.GroupRows;
        int start = block * size + offset, length = Math.Min(Tile.GroupRows, size - offset);
        return new GroupRange(block, offset, Math.Max(0, first - start), Math.Min(length, last + 1 - start));
    }

    private static void Mask(Span<float> scores, GroupRange range)
    {
        if (range.IsEmpty)
        {
            scores.Fill(float.NegativeInfinity);
            return;
        }

        scores[..range.Low].Fill(float.NegativeInfinity);
        scores[range.High..].Fill(float.NegativeInfinity);
    }

    /// <summary>What a token sees of one group of 16 positions: lanes Low..High of logical block Block, beginning at Offset in it.</summary>
    private readonly record struct GroupRange(int Block, int Offset, int Low, int High)
    {
        public bool IsEmpty => Low >= High;
    }
}
