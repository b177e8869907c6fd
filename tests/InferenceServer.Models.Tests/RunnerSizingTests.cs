using InferenceServer.Core.Stepping;
using InferenceServer.Models.Configuration;
using InferenceServer.Models.Running;

namespace InferenceServer.Models.Tests;

public class RunnerSizingTests
{
    private const int BytesPerToken = 2 * 4 * 2 * 16 * 4; // layers, heads, head size, f32

    private static readonly ModelConfig Config = new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = 10,
        HiddenSize = 64,
        IntermediateSize = 8,
        Layers = 4,
        Heads = 4,
        KvHeads = 2,
        HeadDim = 16,
        MaxPositions = 1000,
        NormEpsilon = 1e-5f,
        RopeTheta = 10_000,
        RopeScaling = RopeScaling.None,
    };

    [Fact]
    public void The_pool_takes_no_more_than_all_sequences_need()
    {
        RunnerLimits limits = RunnerSizing.Compute(Config, new RunnerOptions { MaxSequencesPerStep = 3 });
        Assert.Equal((1000, 3 * 63), (limits.ContextLength, limits.BlockCount));
    }

    [Fact]
    public void A_context_nobody_asked_for_shrinks_to_the_pool()
    {
        RunnerLimits limits = RunnerSizing.Compute(Config, new RunnerOptions { KvBytes = 10 * 16 * BytesPerToken + 5 });
        Assert.Equal((160, 10), (limits.ContextLength, limits.BlockCount));
        Assert.Equal(80, RunnerSizing.Compute(Config, new RunnerOptions { BlockCount = 5 }).ContextLength);
        Assert.Equal(7, RunnerSizing.Compute(Config, new RunnerOptions { KvBytes = 7100, KvBlockBytes = 1000 }).BlockCount);
    }

    [Fact]
    public void A_context_asked_for_is_given_or_refused()
    {
        Assert.Equal(160, RunnerSizing.Compute(Config, new RunnerOptions { BlockCount = 10, ContextLength = 160 }).ContextLength);
        AssertRefused(new RunnerOptions { BlockCount = 10, ContextLength = 161 }, $"at least {11 * 16 * BytesPerToken} bytes");
        AssertRefused(new RunnerOptions { ContextLength = 1001 }, "at most 1000");
    }

    [Fact]
    public void Scaled_contexts_reach_further()
    {
        ModelConfig linear = Config with { RopeScaling = new RopeScaling { Kind = RopeScalingKind.Linear, Factor = 4 } };
        Assert.Equal(4000, RunnerSizing.Compute(linear, new RunnerOptions()).ContextLength);
        ModelConfig dynamic = Config with { RopeScaling = linear.RopeScaling with { Kind = RopeScalingKind.Dynamic } };
        Assert.Equal(1000, RunnerSizing.Compute(dynamic, new RunnerOptions()).ContextLength);
        Assert.Equal(4000, RunnerSizing.Compute(dynamic, new RunnerOptions { ContextLength = 4000 }).ContextLength);
    }

    [Fact]
    public void Impossible_options_are_sentences()
    {
        AssertRefused(new RunnerOptions { KvBytes = 1000 }, "not one block");
        AssertRefused(new RunnerOptions { BlockSize = 0 }, "BlockSize is 0");
        AssertRefused(new RunnerOptions { BlockCount = int.MaxValue }, "can be addressed");
        AssertRefused(new RunnerOptions { MaxRowsPerStep = 1 }, "MaxRowsPerStep is 1");
        AssertRefused(new RunnerOptions { MaxTokensPerStep = 1 }, "would starve");
    }

    private static void AssertRefused(RunnerOptions options, string expected) =>
        Assert.Contains(expected, Assert.Throws<ModelLoadException>(() => RunnerSizing.Compute(Config, options)).Message, StringComparison.Ordinal);
}
