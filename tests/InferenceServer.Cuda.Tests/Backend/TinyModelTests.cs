using InferenceServer.Core.Compute;
using InferenceServer.Core.Requests;
using InferenceServer.Models.Tests;

namespace InferenceServer.Cuda.Tests.Backend;

/// <summary>A random model through the runner, against the CPU backend and against itself run another way.</summary>
public sealed class TinyModelTests
{
    /// <summary>Largest difference of a logit from the CPU's: three layers in 8 bits of mantissa, logits up to about 3.</summary>
    private const float Bf16Tolerance = 0.08f, F16Tolerance = 0.01f;

    private const int Count = 12;

    private static readonly int[][] Prompts = [[1, 7, 30, 4, 4, 9], [2], [49, 0, 13, 8, 21, 33, 5, 6, 40, 41, 42], [1, 7, 30, 4, 4, 10], [3, 3, 3]];

    [Theory]
    [InlineData("LlamaForCausalLM", false, false, ElementType.BF16)]
    [InlineData("Qwen2ForCausalLM", true, false, ElementType.F16)]
    [InlineData("Qwen3ForCausalLM", false, true, ElementType.BF16)]
    public void Logits_are_close_to_the_CPUs_and_greedy_tokens_equal_where_it_was_sure(string architecture, bool qkvBias, bool qkNorm, ElementType precision)
    {
        float tolerance = precision == ElementType.F16 ? F16Tolerance : Bf16Tolerance;
        using TemporaryFolder folder = ModelRig.Tiny(architecture, qkvBias, qkNorm);
        CapturedLogits onCpu = new(), onGpu = new();
        float worst = 0;
        using (var cpu = ModelRig.OnCpu(folder.Path, onCpu))
        using (ModelRig gpu = new(folder.Path, precision: precision, sampler: onGpu))
        {
            List<int>[] expected = new BatchLoop(cpu).Generate(Prompts, Count, CapturedLogits.OnHost);
            List<int>[] found = new BatchLoop(gpu.Runner).Generate(Prompts, Count, CapturedLogits.OnHost);
            foreach ((int sequence, int position) in Greedy.AssertSame(expected, found, Prompts, onCpu, 2 * tolerance))
            {
                float[] one = onCpu.Rows[((ulong)sequence, position)], other = onGpu.Rows[((ulong)sequence, position)];
                worst = Math.Max(worst, one.Zip(other, (a, b) => Math.Abs(a - b)).Max());
            }
        }

        TestContext.Current.SendDiagnosticMessage($"{architecture} in {precision}: largest difference of a logit {worst:g3}");
        Assert.InRange(worst, 0, tolerance);
    }

    [Fact]
    public void A_graph_replays_exactly_what_ran_op_by_op()
    {
        using TemporaryFolder folder = ModelRig.Tiny();
        List<int>[] eager, replayed;
        List<List<float>> eagerly, later;
        using (ModelRig gpu = new(folder.Path, new CudaTuning { Graphs = false, BuffersApart = true })) (eager, eagerly) = Run(gpu);
        using (ModelRig gpu = new(folder.Path))
        {
            (replayed, later) = Run(gpu);
            Assert.Equal(1, gpu.Backend.GraphCount); // five sequences: the bucket of 8
        }

        Assert.Equal(eager, replayed);
        Assert.Equal(eagerly, later);

        static (List<int>[], List<List<float>>) Run(ModelRig gpu)
        {
            BatchLoop loop = new(gpu.Runner);
            return (loop.Generate(Prompts, Count, i => new SamplingParameters { Temperature = i * 0.4f, Seed = 9, Logprobs = true }), loop.Logprobs);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Tokens_fed_back_on_the_device_change_nothing_in_any_order_of_streams(int seed)
    {
        using TemporaryFolder folder = ModelRig.Tiny();
        List<int>[] read, fed;
        using (ModelRig gpu = new(folder.Path)) read = new BatchLoop(gpu.Runner).Generate(Prompts, Count, Sampling);
        using (ModelRig gpu = new(folder.Path, seed: seed)) fed = new BatchLoop(gpu.Runner) { FeedBack = true }.Generate(Prompts, Count, Sampling);
        Assert.Equal(read, fed);

        static SamplingParameters Sampling(int i) => new() { Temperature = i * 0.5f, Seed = (ulong)i, PresencePenalty = i, FrequencyPenalty = 0.5f * i, RepetitionPenalty = 1 + 0.1f * i };
    }

    [Fact]
    public void A_sequence_alone_gives_what_it_gives_in_a_batch_where_it_is_sure()
    {
        using TemporaryFolder folder = ModelRig.Tiny();
        CapturedLogits batched = new();
        List<int>[] together, alone;
        using (ModelRig gpu = new(folder.Path, sampler: batched)) together = new BatchLoop(gpu.Runner).Generate(Prompts, Count, CapturedLogits.OnHost);
        using (ModelRig gpu = new(folder.Path)) alone = [.. Prompts.Select(p => new BatchLoop(gpu.Runner).Generate([p], Count)[0])];
        Greedy.AssertSame(together, alone, Prompts, batched, Bf16Tolerance);
    }

    [Theory]
    [InlineData(3, -1)]  // the prompt in chunks: what a cached prefix is
    [InlineData(64, 5)]  // preempted and computed anew in other blocks
    public void Where_a_prompt_is_cut_and_where_its_blocks_lie_does_not_matter_where_it_is_sure(int chunk, int preemptAt)
    {
        using TemporaryFolder folder = ModelRig.Tiny();
        CapturedLogits whole = new();
        List<int>[] expected, found;
        using (ModelRig gpu = new(folder.Path, sampler: whole)) expected = new BatchLoop(gpu.Runner).Generate(Prompts, Count, CapturedLogits.OnHost);
        using (ModelRig gpu = new(folder.Path)) found = new BatchLoop(gpu.Runner, seed: 5) { Chunk = chunk, PreemptAt = preemptAt }.Generate(Prompts, Count);
        Greedy.AssertSame(expected, found, Prompts, whole, Bf16Tolerance);
    }
}
