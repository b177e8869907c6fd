using System.Diagnostics;
using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Memory;

namespace InferenceServer.Cpu.Handles;

/// <summary>
/// Keys and values as <see cref="Type"/>. A block holds all layers, so that memory is touched first as sequences grow, a page in a while; were each layer
/// a region of its own, they would all need their next page in the same step, which streams would feel.
/// Per block and layer, per KV head: keys in groups of 16 positions, transposed, so that 16 scores
/// take one multiply-add a dimension; then, for Q8, a scale per key and one per value; then values (position, headDim).
/// Keys of a group: F32 (headDim, 16), BF16 (headDim / 2, 16 words of two dimensions, the even one low), Q8 (headDim, 16) bytes. Values: F32 and Q8
/// in order; BF16 in chunks of 32 columns, the first half of a chunk in the low halves of its words, the second in the high ones.
/// A block size that is no multiple of 16 wastes the rest of its last group of keys. Kernels read whole vectors and so past a value's
/// end; what they find there never reaches a result.
/// </summary>
internal sealed unsafe class CpuKvCache : KvCache
{
    /// <summary>Bytes of two vectors of 16 floats: the farthest that a kernel reads past the last value.</summary>
    private const int Slack = 128;

    private readonly NativeBuffer _buffer;
    private readonly long _headBytes;
    private readonly long _scalesAt;
    private readonly long _valuesAt;

    public CpuKvCache(KvCacheShape shape, KvType type, NativeBuffer buffer)
        : base(shape)
    {
        _buffer = buffer;
        Type = type;
        GroupsPerBlock = (shape.BlockSize + Tile.GroupRows - 1) / Tile.GroupRows;
        KeyGroupBytes = Tile.GroupRows * shape.HeadDim * ElementBytes(type);
        ValueBytes = shape.HeadDim * ElementBytes(type);
        _scalesAt = KeyBytes(shape, type);
        _valuesAt = _scalesAt + ScaleBytes(shape, type);
        _headBytes = HeadBytes(shape, type);
        BlockBytes = _headBytes * shape.KvHeads;
    }

    public KvType Type { get; }

    /// <summary>Groups of 16 key positions in a block.</summary>
    public int GroupsPerBlock { get; }

    /// <summary>Bytes from one group of keys to the next.</summary>
    public int KeyGroupBytes { get; }

    /// <summary>Bytes from one position's value to the next.</summary>
    public int ValueBytes { get; }

    /// <summary>Bytes of one block in one layer.</summary>
    public long BlockBytes { get; }

    /// <summary>Bytes of a whole cache; every block takes the same, but for a few at the end.</summary>
    public static long Bytes(KvCacheShape shape, KvType type) => checked(BytesOfBlock(shape, type) * shape.BlockCount + Slack);

    /// <summary>Bytes of a block in all layers, however many blocks there are.</summary>
    public static long BytesOfBlock(KvCacheShape shape, KvType type) => checked(HeadBytes(shape, type) * shape.KvHeads * shape.Layers);

    public byte* Keys(int layer, int block, int head) => Block(layer, block) + head * _headBytes;

    /// <summary>Q8: one per position, groups of 16.</summary>
    public float* KeyScales(int layer, int block, int head) => (float*)(Keys(layer, block, head) + _scalesAt);

    /// <summary>Q8: one per position, groups of 16.</summary>
    public float* ValueScales(int layer, int block, int head) => KeyScales(layer, block, head) + GroupsPerBlock * Tile.GroupRows;

    public byte* Values(int layer, int block, int head) => Keys(layer, block, head) + _valuesAt;

    public byte* Block(int layer, int block)
    {
        Debug.Assert((uint)layer < (uint)Shape.Layers && (uint)block < (uint)Shape.BlockCount);
        return _buffer.Pointer + ((long)block * Shape.Layers + layer) * BlockBytes;
    }

    private static int ElementBytes(KvType type) => type switch { KvType.F32 => 4, KvType.BF16 => 2, _ => 1 };

    private static long KeyBytes(KvCacheShape shape, KvType type) =>
        checked((long)CpuActivation.PaddedColumns(shape.BlockSize) * shape.HeadDim * ElementBytes(type));

    private static long ScaleBytes(KvCacheShape shape, KvType type) =>
        type == KvType.Q8 ? 2L * CpuActivation.PaddedColumns(shape.BlockSize) * sizeof(float) : 0;

    /// <summary>A multiple of 4, so that scales stay aligned.</summary>
    private static long HeadBytes(KvCacheShape shape, KvType type) =>
        checked(KeyBytes(shape, type) + ScaleBytes(shape, type) + (long)shape.BlockSize * shape.HeadDim * ElementBytes(type) + 3) & ~3L;
}
