using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;
using InferenceServer.GpuBench.Shapes;
using InferenceServer.Models;

namespace InferenceServer.Cuda.Tests.Bench;

/// <summary>Random weights that are a pattern in memory, and the folder made of them.</summary>
public sealed class RandomModelTests : IDisposable
{
    private readonly string _folder = GpuBenchFiles.NewFolder();

    [Fact]
    public void Matrices_are_small_numbers_around_zero_and_gains_lie_around_one()
    {
        float[] matrix = Values(new RandomTensor("a", 64, 4096)), gain = Values(new RandomTensor("b", 4096));
        Assert.InRange(matrix.Average(), -0.001f, 0.001f);
        Assert.InRange(Math.Sqrt(matrix.Average(v => v * v)), 0.019, 0.021);
        Assert.InRange(gain.Average(), 0.99f, 1.01f);
    }

    [Fact]
    public void Rows_differ_and_a_tensor_is_the_same_each_time()
    {
        RandomTensor tensor = new("model.embed_tokens.weight", 128256, 4096);
        Assert.False(tensor.Row(0).SequenceEqual(tensor.Row(1)));
        Assert.False(tensor.Row(5).SequenceEqual(new RandomTensor("another", 128256, 4096).Row(5)));
        Assert.True(tensor.Row(128255).SequenceEqual(new RandomTensor("model.embed_tokens.weight", 128256, 4096).Row(128255)));
        Assert.Equal(8192, tensor.Row(128255).Length);
    }

    [Fact]
    public void The_shapes_are_models_that_the_loader_takes()
    {
        foreach (ModelShape shape in ModelShape.All)
        {
            using ModelFolder folder = RandomModel.Open(shape, Path.Combine(_folder, shape.Name));
            long bytes = folder.Estimate(2).WeightBytes;
            long gains = 2L * shape.Hidden * (2 * shape.Layers + 1);
            Assert.Equal(2 * shape.StoredParameters + gains, bytes);
            Assert.Equal(shape.KvBytesPerToken, folder.Estimate(2).KvBytesPerToken);
        }
    }

    [Fact]
    public void A_folder_for_the_server_holds_the_same_tensors_as_files()
    {
        string demo = Path.Combine(GpuBenchFiles.Root, "models-manifest", "demo"), path = Path.Combine(_folder, "written");
        RandomModel.Write(ModelShape.Tiny, path, demo);
        using ModelFolder written = ModelFolder.Open(path), memory = RandomModel.Open(ModelShape.Tiny, Path.Combine(_folder, "memory"));
        Assert.NotNull(written.TokenizerPath);
        Assert.Equal(memory.Estimate().WeightBytes, written.Estimate().WeightBytes);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static float[] Values(HostTensor tensor)
    {
        List<float> values = [];
        for (long row = 0; row < tensor.Rows; row++)
            foreach (ushort bits in MemoryMarshal.Cast<byte, ushort>(tensor.Row(row))) values.Add(BitConverter.UInt32BitsToSingle((uint)bits << 16));
        return [.. values];
    }
}
