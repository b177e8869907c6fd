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
        int group = offset / Tile.GroupRows, lane = offset % Tile.GroupRows;
        for (int head = 0; head < _shape.KvHeads; head++, keys += size, values += size)
        {
            byte* groupKeys = _cache.Keys(_layer, block, head) + group * _cache.KeyGroupBytes;
            byte* value = _cache.Values(_layer, block, head) + offset * _cache.ValueBytes;
            switch (_cache.Type)
            {
                case KvType.F32:
                    KvStore.KeyF32(keys, size, (float*)groupKeys + lane);
                    new ReadOnlySpan<float>(values, size).CopyTo(new Span<float>(value, size));
                    break;
                case KvType.BF16:
                    KvStore.KeyBf16(keys, size, (uint*)groupKeys + lane);
                    KvStore.ValueBf16(values, size, (uint*)value);
                    break;
                default:
                    KvStore.KeyQ8(keys, size, (sbyte*)groupKeys + lane, _cache.KeyScales(_layer, block, head) + offset);
                    KvStore.ValueQ8(values, size, (sbyte*)value, _cache.ValueScales(_layer, block, head) + offset);
                    break;
            }
        }
    }
}
