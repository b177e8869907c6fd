using System.Diagnostics;
using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Memory;

namespace InferenceServer.Cpu.Handles;

/// <summary>
/// Keys and values as f32. Per layer and block, per KV head: keys in groups of 16 positions, transposed (group, headDim, 16), so that
/// 16 scores take one multiply-add a dimension; then values (position, headDim padded to 16).
/// A block size that is no multiple of 16 wastes the rest of its last group.
/// </summary>
internal sealed unsafe class CpuKvCache : KvCache
{
    private readonly NativeBuffer _buffer;
    private readonly long _headFloats;
    private readonly long _keyFloats;

    public CpuKvCache(KvCacheShape shape, NativeBuffer buffer)
        : base(shape)
    {
        _buffer = buffer;
        _keyFloats = KeyFloats(shape);
        _headFloats = HeadFloats(shape);
        BlockFloats = _headFloats * shape.KvHeads;
        GroupsPerBlock = (shape.BlockSize + Tile.GroupRows - 1) / Tile.GroupRows;
        ValueStride = CpuActivation.PaddedColumns(shape.HeadDim);
    }

    /// <summary>Groups of 16 key positions in a block.</summary>
    public int GroupsPerBlock { get; }

    /// <summary>Floats from one position's value to the next.</summary>
    public int ValueStride { get; }

    /// <summary>Floats of one block in one layer.</summary>
    public long BlockFloats { get; }

    public static long Bytes(KvCacheShape shape) =>
        checked(HeadFloats(shape) * shape.KvHeads * shape.BlockCount * shape.Layers * sizeof(float));

    /// <summary>(group, headDim, 16)</summary>
    public float* Keys(int layer, int block, int head) => Block(layer, block) + head * _headFloats;

    /// <summary>(position, ValueStride)</summary>
    public float* Values(int layer, int block, int head) => Keys(layer, block, head) + _keyFloats;

    public float* Block(int layer, int block)
    {
        Debug.Assert((uint)layer < (uint)Shape.Layers && (uint)block < (uint)Shape.BlockCount);
        return _buffer.Floats + ((long)layer * Shape.BlockCount + block) * BlockFloats;
    }

    private static long KeyFloats(KvCacheShape shape) =>
        checked((long)CpuActivation.PaddedColumns(shape.BlockSize) * shape.HeadDim);

    private static long HeadFloats(KvCacheShape shape) =>
        checked(KeyFloats(shape) + (long)shape.BlockSize * CpuActivation.PaddedColumns(shape.HeadDim));
}
