using InferenceServer.Core.Compute;
using InferenceServer.Core.Requests;
using InferenceServer.Cuda.Blas;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.StandIn.Driver;
using InferenceServer.Cuda.Tests.Backend;
using InferenceServer.Cuda.Tests.Kernels;
using InferenceServer.Cuda.Tests.Plain;
using InferenceServer.Models.Tests;

namespace InferenceServer.Cuda.Tests.Blas;

/// <summary>The library's products through our binding, on a stand-in that checks descriptors and shapes.</summary>
public sealed class CublasLtTests
{
    private const float Sure = 0.16f; // twice the tolerance of the tiny model's logits in BF16

    [Theory]
    [InlineData(16, 64, 72, false)]
    [InlineData(33, 24, 40, true)]
    public void A_product_matches_the_plain_one_and_its_algorithm_is_timed_once(int m, int n, int k, bool wide)
    {
        Random random = new(m);
        int yStride = n + 8;
        float[] x = Numbers.Rows(random, m, k, k, ElementType.BF16), w = Numbers.Rows(random, n, k, k, ElementType.BF16);
        using KernelRig rig = new();
        using CublasLt blas = new(rig.Stream.Context, StandInBlas.Api, rig.Allocate(1 << 20), 1 << 20);
        MatmulShape shape = new(BlasType.BF16, m, n, k, k, k, yStride, wide);
        ulong xs = rig.Upload<ushort>(KernelRig.Narrow(x, ElementType.BF16)), ws = rig.Upload<ushort>(KernelRig.Narrow(w, ElementType.BF16)), ys = rig.Allocate(m * yStride * 4);
        blas.Matmul(rig.Stream, shape, xs, ws, ys, time: false);
        Assert.False(blas.Plans[shape].IsTimed);
        blas.Matmul(rig.Stream, shape, xs, ws, ys);
        Assert.True(blas.Plans[shape].IsTimed);
        int products = StandInBlas.Products;
        blas.Matmul(rig.Stream, shape, xs, ws, ys);
        Assert.Equal(products + 1, StandInBlas.Products);
        float[] y = wide ? rig.Download<float>(ys, m * yStride) : KernelRig.Widen(rig.Download<ushort>(ys, m * yStride), ElementType.BF16);
        double distance = Numbers.Distance(PlainProducts.Project(x, w, null, m, n, k, k, k), y, m, n, n, yStride);
        Assert.True(distance <= (wide ? Numbers.WideTolerance : Numbers.NarrowTolerance), $"relative error {distance:e2}");
    }

    [Fact]
    public void A_captured_product_is_replayed_and_none_is_timed_meanwhile()
    {
        float[] x = Numbers.Rows(new Random(1), 16, 8, 8, ElementType.BF16);
        using KernelRig rig = new();
        using CublasLt blas = new(rig.Stream.Context, StandInBlas.Api, rig.Allocate(1 << 20), 1 << 20);
        MatmulShape shape = new(BlasType.BF16, 16, 16, 8, 8, 8, 16, false);
        ulong xs = rig.Upload<ushort>(KernelRig.Narrow(x, ElementType.BF16)), ys = rig.Zeros(16 * 16 * 2);
        rig.Stream.Synchronize();
        using CudaGraph graph = CudaGraph.Capture(rig.Stream, () => blas.Matmul(rig.Stream, shape, xs, xs, ys));
        Assert.False(blas.Plans[shape].IsTimed);
        Assert.All(rig.Download<ushort>(ys, 256), v => Assert.Equal(0, v));
        graph.Launch(rig.Stream);
        Assert.Contains(rig.Download<ushort>(ys, 256), v => v != 0);
    }

    [Fact]
    public void A_refusal_names_call_and_shape()
    {
        using KernelRig rig = new();
        using CublasLt blas = new(rig.Stream.Context, StandInBlas.Api, rig.Allocate(1 << 20), 1 << 20);
        CudaException refused = Assert.Throws<CudaException>(() => blas.Matmul(rig.Stream, new MatmulShape(BlasType.BF16, 16, 16, 8, 4, 8, 16, false), 0, 0, 0));
        Assert.Contains("cublasLtMatrixLayoutCreate", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_the_library_there_is_none() => Assert.Null(CublasLtApi.TryLoad(13000, "libcublasLt-that-nobody-has.so.1"));

    /// <summary>Twelve sequences, so that decodes have sixteen rows and take the library's way, first op by op and then as a graph.</summary>
    [Theory]
    [InlineData("LlamaForCausalLM", false)]
    [InlineData("Qwen2ForCausalLM", true)]
    public void A_model_gives_the_same_tokens_with_the_library_and_without_where_it_is_sure(string architecture, bool qkvBias)
    {
        int[][] prompts = [.. Enumerable.Range(0, 12).Select(i => new[] { 1 + i, 7, 30 - i, 4 })];
        using TemporaryFolder folder = ModelRig.Tiny(architecture, qkvBias);
        CapturedLogits own = new();
        List<int>[] expected, found;
        using (ModelRig gpu = new(folder.Path, sampler: own)) expected = new BatchLoop(gpu.Runner).Generate(prompts, 8, CapturedLogits.OnHost);
        int before = StandInBlas.Products;
        using (ModelRig gpu = new(folder.Path, blas: StandInBlas.Api))
        {
            Assert.Contains("cuBLASLt 12.6.4", gpu.Backend.Description, StringComparison.Ordinal);
            found = new BatchLoop(gpu.Runner).Generate(prompts, 8, _ => new SamplingParameters { Temperature = 0 });
            Assert.True(StandInBlas.Products > before);
        }

        Greedy.AssertSame(expected, found, prompts, own, Sure);
    }
}
