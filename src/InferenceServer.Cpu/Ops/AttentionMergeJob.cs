using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>Merges the partial results of chunks that several pieces shared, tile by tile in order. Items: pieces x KV heads; the first piece of a chunk does the work.</summary>
internal sealed unsafe class AttentionMergeJob : ParallelJob
{
    private AttentionCut _cut = null!;
    private AttentionShape _shape = null!;
    private CpuActivation _output = null!;
    private KvType _type;
    private float* _partials;

    public void Run(ForkJoinPool pool, AttentionCut cut, AttentionShape shape, float* partials, CpuActivation output, KvType type)
    {
        _partials = partials;
        (_cut, _shape, _output, _type) = (cut, shape, output, type);
        pool.Run(this, cut.Count * shape.KvHeads, 16, cut.Partials);
    }

    public override void Execute(int begin, int end, int worker)
    {
        for (int item = begin; item < end; item++) Merge(item % _cut.Count, item / _cut.Count);
    }

    private void Merge(int index, int kvHead)
    {
        ReadOnlySpan<AttentionPiece> pieces = _cut.Pieces;
        AttentionPiece piece = pieces[index];
        if (piece.Partials < 0 || (index > 0 && pieces[index - 1].FirstToken == piece.FirstToken)) return;
        int rows = piece.Tokens * (_shape.Heads / _shape.KvHeads);
        long offset = kvHead * AttentionRows.Floats(rows, _shape.HeadDim);
        AttentionRows sum = new(_partials + piece.Partials + offset, rows, _shape.HeadDim);
        for (int next = index + 1; next < pieces.Length && pieces[next].FirstToken == piece.FirstToken; next++)
            sum.Merge(new AttentionRows(_partials + pieces[next].Partials + offset, rows, _shape.HeadDim));
        sum.Write(_output, piece.FirstToken, kvHead, _shape, _type);
    }
}
