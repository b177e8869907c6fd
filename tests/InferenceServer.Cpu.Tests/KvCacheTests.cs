using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Handles;

namespace InferenceServer.Cpu.Tests;

/// <summary>What a KV cache takes is what is said of it beforehand.</summary>
public sealed class KvCacheTests
{
    [Theory]
    [InlineData(KvType.F32, 2 * 64 * 4)]
    [InlineData(KvType.BF16, 2 * 64 * 2)]
    [InlineData(KvType.Q8, 2 * (64 + 4))]
    public void A_block_takes_its_numbers_and_its_scales(KvType type, int bytesOfHeadAndPosition)
    {
        using CpuBackend backend = Samples.Backend(1, type);
        KvCacheShape shape = new(22, 4, 64, 16, 10);
        Assert.Equal(22 * 4 * 16 * bytesOfHeadAndPosition, backend.KvBlockBytes(shape));
        CpuKvCache cache = (CpuKvCache)backend.AllocateKvCache(shape);
        Assert.Equal(backend.KvBlockBytes(shape), 22 * cache.BlockBytes);
        Assert.InRange(CpuKvCache.Bytes(shape, type), 10 * backend.KvBlockBytes(shape), 10 * backend.KvBlockBytes(shape) + 256);
    }

    /// <summary>So that a growing sequence touches new pages one after another, not one of every layer in the same step.</summary>
    [Fact]
    public unsafe void A_block_holds_its_layers_side_by_side()
    {
        using CpuBackend backend = Samples.Backend(1, KvType.F32);
        CpuKvCache cache = (CpuKvCache)backend.AllocateKvCache(new KvCacheShape(3, 2, 64, 16, 4));
        byte* expected = cache.Block(0, 0);
        for (int block = 0; block < 4; block++)
        {
            for (int layer = 0; layer < 3; layer++, expected += cache.BlockBytes)
            {
                Assert.Equal((nint)expected, (nint)cache.Block(layer, block));
                Assert.Equal((nint)expected + (nint)cache.BlockBytes / 2, (nint)cache.Keys(layer, block, 1));
            }
        }
    }

    [Fact]
    public void A_block_of_eight_positions_pays_for_sixteen_keys()
    {
        using CpuBackend backend = Samples.Backend(1, KvType.BF16);
        Assert.Equal((16 + 8) * 64 * 2, backend.KvBlockBytes(new KvCacheShape(1, 1, 64, 8, 1)));
    }
}
