using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Tests.Simulation;
using Xunit;

namespace InferenceServer.Engine.Tests.Scheduling;

public class ForkTests
{
    [Fact]
    public void Choices_share_the_prompt_and_copy_only_the_block_they_write()
    {
        using EngineHarness harness = new();
        Received received = harness.Accept(EngineHarness.Request(prompt: 10, maxTokens: 2, choices: 4));
        harness.Step();
        Assert.Equal(10, harness.Runner.Tokens);
        Assert.Equal(3, harness.Status.BlocksUsed); // one table's worth, shared by four
        harness.Step();
        Assert.Equal(14, harness.Runner.Tokens); // the prompt once, then one token a choice
        Assert.Equal(4, harness.Runner.Copies); // the shared last block stays as it was until the step is over
        harness.Finish(received);
        Assert.Equal(8, received.Summary!.CompletionTokens);
    }

    [Fact]
    public void A_prompt_that_fills_its_blocks_needs_no_copy()
    {
        using EngineHarness harness = new();
        Received received = harness.Accept(EngineHarness.Request(prompt: 8, maxTokens: 3, choices: 3));
        harness.Finish(received);
        Assert.Equal(0, harness.Runner.Copies);
    }

    [Fact]
    public void Each_choice_is_what_a_request_of_its_own_with_that_seed_would_give()
    {
        using EngineHarness harness = new();
        Received together = harness.Accept(EngineHarness.Request("together", prompt: 10, maxTokens: 6, choices: 3));
        harness.Finish(together);
        for (int choice = 0; choice < 3; choice++)
        {
            ulong seed = CounterRandom.ChoiceSeed(7, choice);
            Received alone = harness.Accept(EngineHarness.Request($"alone{choice}", prompt: 10, maxTokens: 6) with { Sampling = new SamplingParameters { Seed = seed } });
            harness.Finish(alone);
            Assert.Equal(alone.Tokens[0], together.Tokens[choice]);
        }
    }

    [Fact]
    public void Stopping_the_first_choice_during_the_prompt_leaves_the_others_going()
    {
        using EngineHarness harness = new(EngineHarness.Limits(tokens: 8));
        Received received = harness.Accept(EngineHarness.Request(prompt: 30, maxTokens: 4, choices: 3));
        harness.Step(2);
        received.Generation.StopChoice(0);
        harness.Step();
        Assert.Equal(24, harness.Runner.Tokens); // nothing is computed twice
        harness.Finish(received);
        Assert.Equal([FinishReason.Stop, FinishReason.Length, FinishReason.Length], received.Reasons);
        Assert.Equal([0, 4, 4], received.Tokens.Select(tokens => tokens.Count));
    }

    [Fact]
    public void Choices_that_do_not_fit_together_run_one_after_another()
    {
        // 8 blocks of 4: one choice of 20 + 11 tokens fills them all.
        using EngineHarness harness = new(EngineHarness.Limits(blocks: 8, blockSize: 4, context: 32));
        Received received = harness.Accept(EngineHarness.Request(prompt: 20, maxTokens: 11, choices: 4));
        harness.Finish(received);
        Assert.True(received.Summary!.Preemptions > 0);
        Assert.All(received.Tokens, tokens => Assert.Equal(11, tokens.Count));
    }
}
