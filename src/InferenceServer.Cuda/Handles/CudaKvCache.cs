using System.Numerics;
using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Kernels;

namespace InferenceServer.Cuda.Handles;

/// <summary>
/// Keys and values on the device: two planes a layer, keys then values, each (blocks, kv heads, block size, head dim) in the backend's precision.
/// A head's part of a block is contiguous, so that attention reads it in whole cache lines.
/// </summary>
internal sealed class CudaKvCache(KvCacheShape shape, ulong address) : KvCache(shape)
{
    public ulong Address { get; } = address;

    public int BlockShift { get; } = BitOperations.Log2((uint)shape.BlockSize);

    /// <summary>One block's keys, or its values, of one layer.</summary>
    public long BlockBytes { get; } = BlockBytesOf(shape);

    public long PlaneBytes => BlockBytes * Shape.BlockCount;

    public int Planes => 2 * Shape.Layers;

    public ulong Keys(int layer) => Address + (ulong)(2 * layer * PlaneBytes);

    public ulong Values(int layer) => Keys(layer) + (ulong)PlaneBytes;

    public static long Bytes(KvCacheShape shape) => 2 * shape.Layers * BlockBytesOf(shape) * shape.BlockCount;

    /// <summary>Refuses, by the flag that mends it, what the kernels cannot address.</summary>
    /// <exception cref="ArgumentException">A sentence.</exception>
    public static void Check(KvCacheShape shape)
    {
        if (shape is not { Layers: > 0, KvHeads: > 0, HeadDim: > 0, BlockSize: > 0, BlockCount: > 0 } || (long)shape.BlockCount * shape.BlockSize > int.MaxValue)
            throw new ArgumentException($"A KV cache needs positive sizes and at most {int.MaxValue} slots; asked for was {shape}. Lower --kv-memory.", nameof(shape));
        if (!BitOperations.IsPow2(shape.BlockSize))
            throw new ArgumentException($"On a GPU blocks hold a power of two of tokens, not {shape.BlockSize}; set --kv-block-size to 16 or 32.", nameof(shape));
        if (shape.HeadDim % HeadSizes.Multiple != 0 || shape.HeadDim > HeadSizes.Largest)
            throw new ArgumentException($"The GPU kernels take heads of a multiple of {HeadSizes.Multiple} dimensions up to {HeadSizes.Largest}, and this model's have {shape.HeadDim}; serve it with --device cpu.", nameof(shape));
    }

    private static long BlockBytesOf(KvCacheShape shape) => (long)shape.KvHeads * shape.BlockSize * shape.HeadDim * sizeof(ushort);
}
