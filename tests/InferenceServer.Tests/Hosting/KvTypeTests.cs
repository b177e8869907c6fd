using InferenceServer.Core.Stepping;
using InferenceServer.Cpu;
using InferenceServer.Hosting.Devices;
using InferenceServer.Models;
using InferenceServer.Options;
using InferenceServer.Tests.EndToEnd;
using Microsoft.Extensions.Logging.Abstractions;

namespace InferenceServer.Tests.Hosting;

/// <summary>--kv-type on a CPU: the pool that --kv-memory gives holds as many blocks as its bytes really do.</summary>
public class KvTypeTests
{
    private const int Layers = 5, KvHeads = 4, HeadDim = 8, BlockSize = 16; // of stories260K

    [Theory]
    [InlineData(KvType.F32, 2 * HeadDim * 4)]
    [InlineData(KvType.BF16, 2 * HeadDim * 2)]
    [InlineData(KvType.Q8, (2 * HeadDim) + 8)]
    public void A_pool_holds_what_its_bytes_are_worth(KvType type, int bytesOfHeadAndPosition)
    {
        const int Memory = 200_000;
        ServerOptions options = new() { Kv = new KvOptions { Memory = Memory, Type = type }, Cpu = new() { Threads = 1 } };
        using ModelFolder folder = ModelFolder.Open(TestModels.Stories);
        using IModelRunner runner = new CpuDevice().LoadRunner(folder, options, NullLogger.Instance);
        Assert.Equal(Memory / (Layers * KvHeads * BlockSize * bytesOfHeadAndPosition), runner.Limits.BlockCount);
    }
}
