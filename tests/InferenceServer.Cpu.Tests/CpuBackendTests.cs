using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Tests;

public sealed class CpuBackendTests
{
    [Fact]
    public void A_step_allocates_nothing_once_warm()
    {
        using TinyModel model = new(Samples.Backend(1));
        PlanBuilder builder = new(TinyModel.BlockSize);
        int[] prompt = BatchInvarianceTests.Prompt(7), table = [.. Enumerable.Range(0, 8)];
        model.Run(builder.Next().Add(prompt.AsSpan(0, 20), 0, table).Build());
        StepPlan plan = builder.Next().Add(prompt.AsSpan(20, 1), 20, table).Build();
        model.Run(plan);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 50; i++) model.Run(plan);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Rows_are_sampled_from_their_own_logits()
    {
        using TinyModel model = new(Samples.Backend(3));
        StepPlan plan = new PlanBuilder(TinyModel.BlockSize).Next().Add(BatchInvarianceTests.Prompt(8).AsSpan(0, 30), 0, [3, 1, 2, 0]).Build();
        float[][] logits = model.Step(plan);
        StepResult result = model.Run(plan);
        for (int row = 0; row < 30; row++)
        {
            Assert.Equal(logits[row].IndexOf(logits[row].Max()), result.Rows[row].Token);
            Assert.Equal(logits[row][0], result.Rows[row].Logprob);
        }
    }

    [Fact]
    public void The_description_names_threads_and_instruction_set()
    {
        using CpuBackend backend = Samples.Backend("Portable", 2);
        Assert.StartsWith("2 threads, Portable kernels, ", backend.Description, StringComparison.Ordinal);
        using CpuBackend all = new(new CpuOptions(), new SilentSampler());
        Assert.StartsWith($"{CpuTopology.OfThisMachine.DefaultThreads(Environment.ProcessorCount)} thread", all.Description, StringComparison.Ordinal);
    }

    [Fact]
    public void Tensors_that_do_not_stack_are_refused_by_name()
    {
        using CpuBackend backend = Samples.Backend();
        MemoryTensor a = new(ElementType.F32, 1, 2, [1, 2], "layers.0.q"), b = new(ElementType.F32, 1, 3, [1, 2, 3], "layers.0.k");
        string message = Assert.Throws<ArgumentException>(() => backend.LoadMatrix(MatrixUse.Layer, a, b)).Message;
        Assert.Contains("layers.0.q has 2, layers.0.k 3", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Plans_that_point_outside_are_refused_before_anything_runs()
    {
        using CpuBackend backend = Samples.Backend();
        KvCache cache = backend.AllocateKvCache(new KvCacheShape(1, 1, 2, 4, 3));
        void Refused(Action<StepPlan> damage, string why)
        {
            StepPlan plan = new PlanBuilder(4).Next().Add([1, 2, 3], 0, [0, 1]).Copy(0, 2).Build();
            backend.BeginStep(plan, cache); // sound as built
            damage(plan);
            Assert.Contains(why, Assert.Throws<ArgumentException>(() => backend.BeginStep(plan, cache)).Message, StringComparison.Ordinal);
        }

        Refused(p => p.Slots[1] = 12, "slot 12");
        Refused(p => p.Slots[1] = -1, "slot -1");
        Refused(p => p.Positions[2] = 8, "position 8");
        Refused(p => p.Sequences[0].BlockCount = 3, "claims 3 blocks");
        Refused(p => p.Sequences[0].TokenCount = 4, "claims tokens 0 + 4");
        Refused(p => p.Sequences[0].TokenCount = 2, "cover 2 of 3");
        Refused(p => p.Copies[0] = new BlockCopy(0, 3), "copies block 0 to 3");
    }

    [Fact]
    public void A_block_table_that_lies_fails_the_step_and_not_the_process()
    {
        using TinyModel model = new(Samples.Backend(2));
        StepPlan plan = new PlanBuilder(TinyModel.BlockSize).Next().Add(BatchInvarianceTests.Prompt(9).AsSpan(0, 20), 0, [0, 1, 2]).Build();
        plan.Sequences[0].BlockTable = [0, TinyModel.Blocks, 2];
        Assert.Contains($"block {TinyModel.Blocks}", Assert.Throws<ArgumentException>(() => model.Run(plan)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ops_refuse_shapes_that_do_not_fit()
    {
        using CpuBackend backend = Samples.Backend();
        using CpuBackend other = Samples.Backend();
        Matrix matrix = backend.LoadMatrix(MatrixUse.Layer, new MemoryTensor(ElementType.F32, 3, 2, [1, 2, 3, 4, 5, 6]));
        Activation two = backend.Fill([[1f, 2f]]), three = backend.AllocateActivation(1, 3);
        backend.Project(two, matrix, null, three);
        Assert.Equal([5f, 11f, 17f], backend.ReadRow(three, 0).ToArray());
        Assert.Throws<ArgumentException>(() => backend.Project(three, matrix, null, two));
        Assert.Throws<ArgumentException>(() => backend.GateUpSilu(two, matrix, three));
        Assert.Throws<ArgumentException>(() => backend.RmsNorm(two, backend.LoadVector(), 1e-5f, two));
        Assert.Throws<InvalidOperationException>(() => backend.Embed(matrix, two));
        Assert.Throws<ArgumentException>(() => backend.AllocateKvCache(new KvCacheShape(1, 1, 2, 16, int.MaxValue)));
    }

    [Fact]
    public void After_dispose_every_door_is_closed()
    {
        CpuBackend backend = Samples.Backend(2);
        Activation activation = backend.AllocateActivation(1, 16);
        backend.Dispose();
        backend.Dispose();
        Assert.Throws<ObjectDisposedException>(() => backend.ReadRow(activation, 0));
        Assert.Throws<ObjectDisposedException>(() => backend.AllocateActivation(1, 1));
    }

    private sealed class SilentSampler : ISampler
    {
        public void Sample(Span<float> logits, in LogitsRow row, ref SampleResult result) => result.Failed = true;
    }
}
