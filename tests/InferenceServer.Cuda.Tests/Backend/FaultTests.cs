using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.StandIn.Driver;
using InferenceServer.Engine.Sampling;
using InferenceServer.Models;
using InferenceServer.Models.Running;
using InferenceServer.Models.Tests;

namespace InferenceServer.Cuda.Tests.Backend;

/// <summary>What a broken device does to a step, and that the process outlives it.</summary>
public sealed class FaultTests : IDisposable
{
    private static readonly int[][] Prompts = [[1, 7, 30], [2, 9]];

    private readonly TemporaryFolder _folder = ModelRig.Tiny();
    private readonly StandInDriver _driver = GpuStandIn.Create();

    public void Dispose()
    {
        _driver.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void A_kernels_fault_names_call_kernel_step_and_batch_and_a_new_backend_goes_on_in_this_process()
    {
        List<int>[] before, after;
        using (IModelRunner runner = Load()) before = new BatchLoop(runner).Generate(Prompts, 5);
        IModelRunner broken = Load();
        BatchLoop loop = new(broken);
        loop.Generate(Prompts, 3); // a prompt and two decodes
        _driver.Device.Fault(CudaError.IllegalAddress, "a kernel went astray");
        CudaException fault = Assert.Throws<CudaException>(() => loop.Generate(Prompts, 3));
        Assert.True(fault.IsSticky);
        Assert.Contains("CUDA_ERROR_ILLEGAL_ADDRESS (700)", fault.Message, StringComparison.Ordinal);
        Assert.Contains("In step 4 (batch of 2 sequences, 5 tokens, 2 rows)", fault.Message, StringComparison.Ordinal);
        Assert.Contains("the last kernel launched was sample", fault.Message, StringComparison.Ordinal);
        broken.Dispose();
        AssertNothingLeft();

        using (IModelRunner runner = Load()) after = new BatchLoop(runner).Generate(Prompts, 5);
        Assert.Equal(before, after);
        AssertNothingLeft();
    }

    [Theory]
    [InlineData("cuLaunchKernelEx", 1)]
    [InlineData("cuLaunchKernelEx", 20)]
    [InlineData("cuStreamEndCapture", 1)]
    [InlineData("cuGraphInstantiateWithFlags", 1)]
    [InlineData("cuGraphLaunch", 2)]
    [InlineData("cuMemcpyHtoDAsync_v2", 1)]
    [InlineData("cuMemcpyDtoHAsync_v2", 2)]
    [InlineData("cuEventRecord", 1)]
    [InlineData("cuEventSynchronize", 2)]
    public void Whatever_call_fails_the_backend_can_be_disposed_and_opened_again(string call, int nth)
    {
        foreach (CudaError code in new[] { CudaError.LaunchFailed, CudaError.InvalidValue })
        {
            IModelRunner runner = Load();
            BatchLoop loop = new(runner);
            loop.Generate(Prompts, 1);
            _driver.Device.Fail(call, code, nth);
            CudaException fault = Assert.Throws<CudaException>(() => loop.Generate(Prompts, 6));
            Assert.Equal(code, fault.Error);
            runner.Dispose();
            AssertNothingLeft();
        }

        using (IModelRunner runner = Load()) new BatchLoop(runner).Generate(Prompts, 2);
    }

    [Fact]
    public void A_refused_launch_names_its_kernel_and_step()
    {
        using IModelRunner runner = Load();
        _driver.Device.Fail("cuLaunchKernelEx", CudaError.LaunchOutOfResources, 2);
        CudaException fault = Assert.Throws<CudaException>(() => new BatchLoop(runner).Generate(Prompts, 2));
        Assert.Equal(("cuLaunchKernelEx", "rmsnorm_bf16"), (fault.Call, fault.Kernel));
        Assert.Contains("In step 1 (batch of 2 sequences, 5 tokens, 2 rows)", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Too_little_memory_is_a_sentence_and_leaves_nothing_behind()
    {
        using CudaBackend backend = Open();
        string message = Assert.Throws<CudaMemoryException>(() => backend.AllocateKvCache(new KvCacheShape(32, 8, 128, 16, 4000))).Message;
        Assert.Contains("for the KV pool of 4000 blocks: 8000.0 MiB were asked for", message, StringComparison.Ordinal);
        Assert.Contains("of 4096.0 MiB are free", message, StringComparison.Ordinal);
        Assert.Contains("--kv-memory", message, StringComparison.Ordinal);
        backend.Dispose();
        AssertNothingLeft();
        Assert.Throws<ObjectDisposedException>(() => backend.AllocateActivation(1, 8));
    }

    private CudaBackend Open() => new(GpuStandIn.Open(_driver), ModelRig.Limits, new HostSampler());

    private IModelRunner Load()
    {
        using ModelFolder model = ModelFolder.Open(_folder.Path);
        return model.LoadRunner(Open(), new RunnerOptions { BlockSize = 8, BlockCount = 40, KvElementBytes = 2, MaxTokensPerStep = 16, MaxSequencesPerStep = 4, MaxRowsPerStep = 4 });
    }

    private void AssertNothingLeft() => Assert.Equal((0L, 0L, 0), (_driver.Device.Memory.Used, _driver.Device.Memory.Pinned, _driver.Device.ObjectCount));
}
