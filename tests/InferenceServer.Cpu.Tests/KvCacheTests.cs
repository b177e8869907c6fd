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

    [Fact]
    public void A_block_of_eight_positions_pays_for_sixteen_keys()
    {
        using CpuBackend backend = Samples.Backend(1, KvType.BF16);
        Assert.Equal((16 + 8) * 64 * 2, backend.KvBlockBytes(new KvCacheShape(1, 1, 64, 8, 1)));
    }
}
