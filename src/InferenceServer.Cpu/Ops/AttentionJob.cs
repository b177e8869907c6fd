using System.Runtime.CompilerServices;
using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Memory;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>
/// Paged attention. Items: a piece of <see cref="AttentionCut"/> x (one KV head with all query heads that share it), so that keys and values are read
/// once for all of them. Batch invariance: each (token, head) takes tiles at fixed absolute positions one by one, each on its own, and merges them
/// in order, whichever chunk of the prompt it came in, whoever computes which tile and wherever its blocks lie; positions outside its window are
/// never multiplied, so stale memory cannot leak in.
/// </summary>
internal sealed unsafe class AttentionJob(Workspace workspace, AttentionKernels kernels) : ParallelJob, IDisposable
{
    private const float Log2E = 1.44269504088896341f;

    private readonly AttentionCut _cut = new();
    private readonly AttentionMergeJob _merge = new();
    private CpuActivation _qkv = null!;
    private CpuActivation _output = null!;
    private AttentionShape _shape = null!;
    private CpuKvCache _cache = null!;
    private StepPlan _plan = null!;
    private NativeBuffer? _partials;
    private int _layer;
    private int _queries;
    private bool _isCut;

    /// <summary>Once a step.</summary>
    public void Prepare(StepPlan plan) => (_plan, _isCut) = (plan, false);

    public void Run(ForkJoinPool pool, CpuActivation qkv, AttentionShape shape, CpuKvCache cache, int layer, CpuActivation output)
    {
        if (!_isCut || shape != _shape) _cut.Cut(_plan, shape, cache);
        (_qkv, _shape, _cache, _layer, _output, _isCut) = (qkv, shape, cache, layer, output, true);
        _queries = shape.Heads / shape.KvHeads;
        workspace.Reserve(AttentionScratch.Floats(Math.Max(_queries, AttentionCut.RowsTogether), shape.HeadDim));
        ReservePartials(_cut.Partials);
        pool.Run(this, _cut.Count * shape.KvHeads, 1, _cut.Positions * shape.QueryColumns * 2);
        if (_cut.SharedChunks > 0) _merge.Run(pool, _cut, shape, _partials!.Floats, output, cache.Type);
    }

    /// <summary>KV heads one after another: the pieces of one share keys and values.</summary>
    public override void Execute(int begin, int end, int worker)
    {
        for (int item = begin; item < end; item++)
            Attend(_cut.Pieces[item % _cut.Count], item / _cut.Count, workspace[worker]);
    }

    public void Dispose() => _partials?.Dispose();

    private void Attend(AttentionPiece piece, int kvHead, float* memory)
    {
        int rows = piece.Tokens * _queries;
        AttentionScratch scratch = new(memory, rows, _shape.HeadDim);
        Interleave(piece, kvHead, kernels.RowBlock(rows), scratch.Queries);
        if (piece.Partials >= 0)
        {
            float* partials = _partials!.Floats + piece.Partials + kvHead * AttentionRows.Floats(rows, _shape.HeadDim);
            AttendTile(piece, piece.FirstTile, kvHead, scratch, new AttentionRows(partials, rows, _shape.HeadDim));
            return;
        }

        AttendTile(piece, piece.FirstTile, kvHead, scratch, scratch.Sum);
        for (int tile = piece.FirstTile + 1; tile < piece.EndTile; tile++)
        {
            AttendTile(piece, tile, kvHead, scratch, scratch.Tile);
            scratch.Sum.Merge(scratch.Tile);
        }

        scratch.Sum.Write(_output, piece.FirstToken, kvHead, _shape, _cache.Type);
    }

    /// <summary>Query rows in blocks, a block's rows interleaved; scaled so that scores come out in units of log 2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Interleave(AttentionPiece piece, int kvHead, int block, float* queries)
    {
        int size = _shape.HeadDim, rows = piece.Tokens * _queries, padded = (rows + block - 1) / block * block;
        float scale = _shape.Scale * Log2E;
        for (int row = 0; row < padded; row++)
        {
            float* to = queries + row / block * block * size + row % block;
            float* from = _qkv.Row(piece.FirstToken + Math.Min(row, rows - 1) / _queries) + (kvHead * _queries + row % _queries) * size;
            float factor = row < rows ? scale : 0;
            for (float* end = from + size; from < end; from++, to += block) *to = *from * factor;
        }
    }

    /// <summary>All rows of a piece over one tile, from nothing.</summary>
    private void AttendTile(AttentionPiece piece, int tile, int kvHead, AttentionScratch scratch, AttentionRows result)
    {
        result.Clear();
        int first = _plan.Positions[piece.FirstToken], last = first + piece.Tokens - 1, rows = piece.Tokens * _queries;
        AttentionTile seen = new(_cache, _layer, kvHead, _plan.Sequences[piece.Sequence].BlockTable, tile, _shape.Window);
        seen.Find(first, last, scratch.Keys, scratch.Values);
        int block = kernels.RowBlock(rows);
        ScoreTile score = new()
        {
            Keys = scratch.Keys,
            Values = scratch.Values,
            FirstGroup = seen.FirstGroup,
            EndGroup = seen.EndGroup,
            Queries = scratch.Queries,
            RowBlocks = (rows + block - 1) / block,
            RowBlock = block,
            HeadDim = _shape.HeadDim,
            Scores = scratch.Scores,
        };
        kernels.Score(&score);
        bool scaled = _cache.Type == KvType.Q8;
        if (scaled) seen.ScaleByKeys(scratch.Scores, rows);
        for (int t = 0; t < piece.Tokens; t++)
        {
            GroupSpan groups = seen.Mask(first + t, scratch.Scores + t * _queries * AttentionKernels.ScoreStride, _queries);
            if (groups.Count == 0) continue;
            for (int row = t * _queries; row < (t + 1) * _queries; row++)
            {
                float* scores = scratch.Scores + row * AttentionKernels.ScoreStride + groups.First * Tile.GroupRows;
                kernels.Turn(scores, groups.Count * Tile.GroupRows, out result.Maxima[row], out result.Sums[row]);
            }
        }

        if (scaled) seen.ScaleByValues(scratch.Scores, rows);
        Weigh(seen, first, piece.Tokens, scratch, result);
    }

    /// <summary>Each row takes its positions in order: those that its token alone sees, those that all tokens see together, those up to itself.</summary>
    private void Weigh(AttentionTile seen, int first, int tokens, AttentionScratch scratch, AttentionRows result)
    {
        int last = first + tokens - 1, common = AttentionCut.FirstSeen(last, _shape.Window);
        if (common > first)
        {
            for (int t = 0; t < tokens; t++)
                Weigh(seen, AttentionCut.FirstSeen(first + t, _shape.Window), first + t, t, 1, scratch, result);
            return;
        }

        for (int t = 0; t < tokens - 1 && _shape.Window > 0; t++)
            Weigh(seen, AttentionCut.FirstSeen(first + t, _shape.Window), common - 1, t, 1, scratch, result);
        Weigh(seen, common, first, 0, tokens, scratch, result);
        for (int t = 1; t < tokens; t++) Weigh(seen, first + 1, first + t, t, 1, scratch, result);
    }

    /// <summary>Positions from..to of the tile, for tokens token.. of the piece.</summary>
    private void Weigh(AttentionTile seen, int from, int to, int token, int tokens, AttentionScratch scratch, AttentionRows result)
    {
        int runs = seen.Runs(from, to, scratch.Runs);
        if (runs == 0) return;
        int row = token * _queries, stride = AttentionRows.Stride(_shape.HeadDim);
        WeighTile weigh = new()
        {
            Runs = scratch.Runs,
            RunCount = runs,
            ValueBytes = _cache.ValueBytes,
            Chunks = stride / KvStore.ChunkColumns,
            Probabilities = scratch.Scores + row * AttentionKernels.ScoreStride,
            Rows = tokens * _queries,
            Totals = result.Totals + row * stride,
        };
        kernels.Weigh(&weigh);
    }

    /// <summary>Grows by doubling, so that a growing context seldom asks.</summary>
    private void ReservePartials(long floats)
    {
        long bytes = floats * sizeof(float);
        if (_partials is { } held && held.Bytes >= bytes || bytes == 0) return;
        long grown = Math.Max(bytes, 2 * (_partials?.Bytes ?? 0));
        _partials?.Dispose();
        _partials = null;
        _partials = new NativeBuffer(grown, "the partial results of attention");
    }
}
