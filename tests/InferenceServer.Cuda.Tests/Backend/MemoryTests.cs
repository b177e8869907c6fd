using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Memory;
using InferenceServer.Cuda.StandIn.Driver;
using InferenceServer.Engine.Sampling;
using InferenceServer.Models;
using InferenceServer.Models.Running;
using InferenceServer.Models.Tests;

namespace InferenceServer.Cuda.Tests.Backend;

public sealed class MemoryTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_was_planned_before_loading_is_what_is_taken_in_one_piece_each(bool blas)
    {
        using StandInDriver driver = GpuStandIn.Create();
        using TemporaryFolder folder = ModelRig.Tiny("Qwen3ForCausalLM", qkNorm: true);
        using ModelFolder model = ModelFolder.Open(folder.Path);
        CudaModelSizes sizes = new()
        {
            Layers = TinyModel.Layers,
            HiddenSize = TinyModel.Hidden,
            IntermediateSize = TinyModel.Intermediate,
            Heads = TinyModel.Heads,
            KvHeads = TinyModel.KvHeads,
            HeadDim = TinyModel.HeadDim,
            VocabularySize = TinyModel.Vocabulary,
        };
        CudaOptions limits = ModelRig.Limits with { ContextLength = TinyModel.Positions };
        CudaDevice device = GpuStandIn.Open(driver, blas ? StandInBlas.Api : null);
        CudaMemoryPlan plan = CudaMemoryPlan.Compute(device, sizes, limits, 8, kvMemory: 1 << 20);
        CudaBackend backend = new(device, limits with { WeightBytes = plan.WeightBytes, WorkspaceBytes = plan.WorkspaceBytes }, new HostSampler());
        using IModelRunner runner = model.LoadRunner(backend, new RunnerOptions
        {
            BlockSize = 8,
            KvBytes = plan.KvBytes,
            KvElementBytes = 2,
            MaxTokensPerStep = limits.MaxTokensPerStep,
            MaxSequencesPerStep = limits.MaxSequencesPerStep,
            MaxRowsPerStep = limits.MaxRowsPerStep,
        });
        new BatchLoop(runner).Generate([[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [4]], 3); // prompts by GEMM, decodes by GEMV: everything lazy is made

        ArenaSnapshot[] arenas = backend.Memory();
        Assert.Equal(["weights", "kv", "workspace"], arenas.Select(a => a.Name));
        Assert.Equal((plan.WeightBytes, plan.WorkspaceBytes), (arenas[0].ReservedBytes, arenas[2].ReservedBytes));
        Assert.All(arenas, a => Assert.True(a.RequestedBytes <= a.AlignedBytes && a.AlignedBytes <= a.ReservedBytes));
        Assert.Equal(plan.WorkspaceBytes, arenas[2].AlignedBytes);
        Assert.InRange(arenas[0].AlignedBytes, plan.WeightBytes * 9 / 10, plan.WeightBytes); // biases are planned for, whether the model has them or not
        Assert.Equal(arenas.Sum(a => a.ReservedBytes), driver.Device.Memory.Used);
    }

    [Fact]
    public void Disposing_returns_every_byte_and_object_to_the_driver()
    {
        using TemporaryFolder folder = ModelRig.Tiny();
        using ModelRig gpu = new(folder.Path, new CudaTuning());
        new BatchLoop(gpu.Runner).Generate([[1, 2, 3], [4]], 6, i => CapturedLogits.OnHost(i));
        Assert.NotEqual(0, gpu.Driver.Device.Memory.Used);
        Assert.Equal(1, gpu.Backend.GraphCount);
        gpu.Backend.Dispose();
        gpu.Backend.Dispose();
        Assert.Equal((0L, 0L, 0), (gpu.Driver.Device.Memory.Used, gpu.Driver.Device.Memory.Pinned, gpu.Driver.Device.ObjectCount));
        Assert.All(gpu.Backend.Memory(), a => Assert.Equal((0, 0L, 0L, 0L), (a.Buffers, a.RequestedBytes, a.AlignedBytes, a.ReservedBytes)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_warm_step_allocates_nothing(bool graphs)
    {
        using TemporaryFolder folder = ModelRig.Tiny();
        using ModelRig gpu = new(folder.Path, new CudaTuning { Graphs = graphs }, device: new StandInOptions { ExecuteKernels = false });
        SamplingState sampling = new(new SamplingParameters { Temperature = 1, PresencePenalty = 1, LogitBias = new Dictionary<int, float> { [3] = 1 }, MinTokens = 4, AllowedTokens = [1, 2, 3], BannedTokens = [2] }, 1, [2], [1]);
        StepPlan plan = new(64, 12, 12) { TokenCount = 5, SequenceCount = 5, RowCount = 5 };
        for (int i = 0; i < 5; i++)
        {
            (plan.Positions[i], plan.Slots[i], plan.TokenIds[i]) = (9, i * 8 + 1, 4);
            plan.Sequences[i] = new StepSequence { FirstToken = i, TokenCount = 1, ComputedTokens = 9, BlockTable = [i + 20, i], BlockCount = 2 };
            plan.Rows[i] = new LogitsRow { Token = i, Sequence = i, Position = 10, Sampling = sampling };
        }

        StepResult result = new(12);
        void Step()
        {
            plan.StepIndex++;
            gpu.Runner.Launch(plan);
            gpu.Runner.Await(result);
        }

        for (int i = 0; i < 50; i++) Step();
        long least = long.MaxValue;
        for (int attempt = 0; attempt < 5 && least > 0; attempt++) // a collection in between, for another test, counts what was left of this thread's buffer
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 50; i++) Step();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
        Assert.Equal(graphs ? 1 : 0, gpu.Backend.GraphCount);
    }
}
