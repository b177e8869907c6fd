using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>Per-head norm of q and k where there is one, then RoPE, then k and v into the cache. Items: tokens.</summary>
internal sealed unsafe class RopeJob : ParallelJob
{
    private CpuActivation _qkv = null!;
    private AttentionShape _shape = null!;
    private CpuRopeTable _rope = null!;
    private QkNorm? _norm;
    private CpuKvCache _cache = null!;
    private StepPlan _plan = null!;
    private int _layer;

    public void Run(
        ForkJoinPool pool, CpuActivation qkv, AttentionShape shape, CpuRopeTable rope, QkNorm? norm, CpuKvCache cache, int layer, StepPlan plan)
    {
        (_qkv, _shape, _rope, _norm, _cache, _layer, _plan) = (qkv, shape, rope, norm, cache, layer, plan);
        pool.Run(this, plan.TokenCount, 4, (long)plan.TokenCount * shape.QkvColumns * 4);
    }

    public override void Execute(int begin, int end, int worker)
    {
        for (int token = begin; token < end; token++)
        {
            float* row = _qkv.Row(token);
            float* keys = row + _shape.QueryColumns;
            int position = _plan.Positions[token];
            Turn(row, _shape.Heads, position, _norm?.QueryGain);
            Turn(keys, _shape.KvHeads, position, _norm?.KeyGain);
            Store(keys, keys + _shape.KvColumns, _plan.Slots[token]);
        }
    }

    private void Turn(float* heads, int count, int position, WeightVector? gain)
    {
        int size = _shape.HeadDim;
        float* cosines = _rope.Cosines(position), sines = _rope.Sines(position);
        for (float* head = heads; head < heads + (long)count * size; head += size)
        {
            if (gain is CpuVector vector)
                RowMath.Scale(head, RowMath.InverseRms(head, size, _norm!.Epsilon), vector.Values, head, size);
            RowMath.Rotate(head, cosines, sines, _rope.RotaryDim / 2);
        }
    }

    private void Store(float* keys, float* values, int slot)
    {
        int block = slot / _cache.Shape.BlockSize, offset = slot % _cache.Shape.BlockSize, size = _shape.HeadDim;
        for (int head = 0; head < _shape.KvHeads; head++, keys += size, values += size)
        {
            float* column = _cache.Keys(_layer, block, head) + (long)(offset / Tile.GroupRows) * size * Tile.GroupRows + offset % Tile.GroupRows;
            for (int i = 0; i < size; i++) column[i * Tile.GroupRows] = keys[i];
            Span<float> value = new(_cache.Values(_layer, block, head) + (long)offset * _cache.ValueStride, _cache.ValueStride);
            new ReadOnlySpan<float>(values, size).CopyTo(value);
            value[size..].Clear();
        }
    }
}
