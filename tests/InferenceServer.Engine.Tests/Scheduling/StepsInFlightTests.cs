using InferenceServer.Core.Requests;
using InferenceServer.Engine.Tests.Simulation;
using Xunit;

namespace InferenceServer.Engine.Tests.Scheduling;

/// <summary>What a runner that takes two steps changes, and what it may not change. Invariants are checked after each turn.</summary>
public class StepsInFlightTests
{
    [Fact]
    public void The_next_step_is_launched_before_the_one_in_flight_is_read()
    {
        using EngineHarness harness = Two();
        Received received = harness.Accept(EngineHarness.Request(maxTokens: 20));
        harness.Step();
        received.Read();
        Assert.Equal((0, 1), (received.TokensTotal, harness.Runner.StepsInFlight));
        for (int turn = 1; turn < 10; turn++)
        {
            harness.Step();
            received.Read();
            Assert.Equal((turn, 1), (received.TokensTotal, harness.Runner.StepsInFlight)); // read in the turn that launched the next
            Assert.Equal((turn, turn), (harness.Runner.StepsOverlapped, harness.Runner.TokensFedBack));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(9)]
    public void What_ends_by_its_length_computes_no_token_more(int maxTokens)
    {
        using EngineHarness harness = Two();
        Received received = harness.Accept(EngineHarness.Request(prompt: 8, maxTokens: maxTokens));
        harness.Rest();
        received.Read();
        Assert.Equal((maxTokens, FinishReason.Length), (received.TokensTotal, received.Reasons[0]));
        Assert.Equal(8 + Math.Max(maxTokens - 1, 0), harness.Runner.Tokens);
        Assert.Equal(Math.Max(maxTokens, 1), harness.Status.StepsTotal);
    }

    [Fact]
    public void What_ends_by_a_stop_token_leaves_one_row_without_a_reader_and_frees_its_blocks_at_once()
    {
        List<int> free = Alone(EngineHarness.Request(maxTokens: 9));
        using EngineHarness harness = Two();
        Received received = harness.Accept(EngineHarness.Request(maxTokens: 9) with { StopTokens = [free[4]] });
        harness.Step(6);
        received.Read();
        Assert.Equal(free[..5], received.Tokens[0]);
        Assert.Equal((FinishReason.Stop, 5), (received.Summary!.FinishReason, received.Summary.CompletionTokens));
        Assert.Equal((0, 0), (harness.Status.BlocksUsed, harness.Status.SequencesRunning));
        Assert.Equal((1, 8 + 5), (harness.Runner.StepsInFlight, harness.Runner.Tokens)); // one of them for nothing
        harness.Rest();
        Assert.Equal(5, harness.Status.GeneratedTokensTotal);
    }

    /// <summary>The newcomer needs every block of the pool, and is planned while the ended one's last step is still in flight.</summary>
    [Fact]
    public void Blocks_of_an_ended_sequence_are_used_again_while_its_last_step_is_in_flight()
    {
        EngineRequest large = EngineHarness.Request("large", prompt: 30, maxTokens: 3, firstToken: 500);
        int stop = Alone(EngineHarness.Request(maxTokens: 9))[4];
        using EngineHarness harness = new(EngineHarness.Limits(blocks: 8, blockSize: 4, context: 32, stepsInFlight: 2));
        Received ends = harness.Accept(EngineHarness.Request("ends", maxTokens: 9) with { StopTokens = [stop] });
        harness.Step(5);
        Received newcomer = harness.Accept(large with { MaxTokens = 2 });
        harness.Step(); // the stop token is read here
        Assert.Equal((1, 0), (harness.Runner.StepsInFlight, harness.Status.BlocksUsed));
        long overlapped = harness.Runner.StepsOverlapped;
        harness.Step();
        Assert.Equal((overlapped + 1, 8), (harness.Runner.StepsOverlapped, harness.Status.BlocksUsed));
        harness.Finish(ends, newcomer);
        Assert.Equal(Alone(large with { MaxTokens = 2 }), newcomer.Tokens[0]);
    }

    [Fact]
    public void A_token_in_flight_is_dropped_when_its_request_is_cancelled_or_its_choice_stopped()
    {
        using EngineHarness harness = Two();
        Received cancelled = harness.Accept(EngineHarness.Request("cancelled", maxTokens: 50));
        Received stopped = harness.Accept(EngineHarness.Request("stopped", maxTokens: 50, firstToken: 100));
        Received stays = harness.Accept(EngineHarness.Request("stays", maxTokens: 10, firstToken: 200));
        harness.Step(4);
        cancelled.Generation.Cancel();
        stopped.Generation.StopChoice(0);
        harness.Finish(cancelled, stopped, stays);
        Assert.Equal((3, FinishReason.Cancelled), (cancelled.TokensTotal, cancelled.Reasons[0]));
        Assert.Equal((3, FinishReason.Stop), (stopped.TokensTotal, stopped.Reasons[0]));
        Assert.Equal(Alone(EngineHarness.Request("stays", maxTokens: 10, firstToken: 200)), stays.Tokens[0]);
    }

    [Fact]
    public void A_deadline_drops_the_token_in_flight()
    {
        using EngineHarness harness = Two();
        long deadline = harness.Time.GetTimestamp() + TimeSpan.FromMilliseconds(35).Ticks;
        Received received = harness.Accept(EngineHarness.Request(maxTokens: 100) with { DeadlineTimestamp = deadline });
        harness.Step(5); // 10 ms each
        received.Read();
        Assert.Equal((FinishReason.Deadline, 3), (received.Summary!.FinishReason, received.TokensTotal));
        harness.Rest();
    }

    [Fact]
    public void A_step_that_forks_is_read_before_the_next_and_the_one_after_is_not()
    {
        using EngineHarness harness = Two();
        Received received = harness.Accept(EngineHarness.Request(prompt: 10, maxTokens: 9, choices: 4));
        harness.Step(2);
        received.Read();
        Assert.Equal((4, 0), (received.TokensTotal, harness.Runner.StepsInFlight));
        harness.Step(4);
        Assert.Equal((3, 4), (harness.Runner.StepsOverlapped, harness.Runner.Copies));
        harness.Finish(received);
        for (int choice = 0; choice < 4; choice++) Assert.Equal(Alone(EngineHarness.Request(prompt: 10, maxTokens: 9, choices: 4), choice), received.Tokens[choice]);
    }

    /// <summary>Before the fork another choice would take over the first one's sequence; now each has the row it was launched with.</summary>
    [Fact]
    public void Stopping_the_first_choice_while_the_fork_is_in_flight_leaves_the_others_their_own_tokens()
    {
        EngineRequest request = EngineHarness.Request(prompt: 10, maxTokens: 5, choices: 3);
        using EngineHarness harness = Two();
        Received received = harness.Accept(request);
        harness.Step();
        received.Generation.StopChoice(0);
        harness.Finish(received);
        Assert.Equal((0, FinishReason.Stop), (received.Tokens[0].Count, received.Reasons[0]));
        for (int choice = 1; choice < 3; choice++) Assert.Equal(Alone(request, choice), received.Tokens[choice]);
    }

    [Fact]
    public void Prompt_scores_are_read_before_the_next_step()
    {
        using EngineHarness harness = new(EngineHarness.Limits(tokens: 8, rows: 16, stepsInFlight: 2));
        EngineRequest request = EngineHarness.Request(prompt: 20, maxTokens: 3) with { Sampling = new SamplingParameters { Seed = 7, PromptLogprobs = 0 } };
        Received received = harness.Accept(request);
        harness.Step(6);
        Assert.Equal((0, 0), (harness.Runner.StepsOverlapped, harness.Runner.StepsInFlight)); // three chunks, all scored
        harness.Finish(received);
        Assert.Equal((20, 1), (received.PromptScores!.Length, harness.Runner.StepsOverlapped));
        Assert.Equal(Alone(request), received.Tokens[0]);
    }

    [Fact]
    public void A_request_cancelled_while_its_scores_are_in_flight_receives_none()
    {
        using EngineHarness harness = Two();
        EngineRequest request = EngineHarness.Request() with { Sampling = new SamplingParameters { Seed = 7, PromptLogprobs = 0 } };
        Received received = harness.Accept(request);
        harness.Step();
        received.Generation.Cancel();
        harness.Rest();
        received.Read();
        Assert.Equal((FinishReason.Cancelled, true), (received.Summary!.FinishReason, received.PromptScores is null));
    }

    [Fact]
    public void Penalties_and_a_least_number_of_tokens_choose_the_same_with_a_token_in_flight()
    {
        EngineRequest request = EngineHarness.Request(maxTokens: 30);
        int stop = Alone(request)[2];
        SamplingParameters[] wanted =
        [
            new() { Seed = 7, PresencePenalty = 1, RepetitionPenalty = 1.5f }, // by the device
            new() { Seed = 7, FrequencyPenalty = 1 }, // by the host, which no step outruns
            new() { Seed = 7, MinTokens = 3 },
        ];
        foreach (SamplingParameters sampling in wanted)
        {
            EngineRequest one = request with { Sampling = sampling, StopTokens = [stop] };
            using EngineHarness harness = Two();
            Received received = harness.Accept(one);
            harness.Finish(received);
            Assert.Equal(Alone(one), received.Tokens[0]);
            Assert.Equal(sampling.FrequencyPenalty == 0, harness.Runner.StepsOverlapped > 0);
            Assert.NotEqual(Alone(request with { StopTokens = [stop] }), received.Tokens[0]);
        }
    }

    [Fact]
    public void A_row_that_stays_with_the_host_holds_back_only_the_steps_that_it_is_in()
    {
        using EngineHarness harness = Two();
        Received host = harness.Accept(EngineHarness.Request("host", maxTokens: 4) with { Sampling = new SamplingParameters { Seed = 7, FrequencyPenalty = 1 } });
        Received device = harness.Accept(EngineHarness.Request("device", maxTokens: 10, firstToken: 100));
        harness.Finish(host, device);
        Assert.Equal(5, harness.Runner.StepsOverlapped); // the last six of ten steps, after the first of them
    }

    [Fact]
    public void Nobody_is_sent_back_for_blocks_that_an_end_in_flight_is_about_to_free()
    {
        // Two of 8 tokens over 6 blocks of 4: after four more tokens each they are full, and the first then ends by a stop token.
        EngineRequest first = EngineHarness.Request("first", prompt: 8, maxTokens: 16);
        EngineRequest second = EngineHarness.Request("second", prompt: 8, maxTokens: 16, firstToken: 100);
        first = first with { StopTokens = [Alone(first)[4]] };
        using EngineHarness harness = new(EngineHarness.Limits(blocks: 6, blockSize: 4, context: 24, stepsInFlight: 2));
        Received stops = harness.Accept(first), goesOn = harness.Accept(second);
        harness.Finish(stops, goesOn);
        Assert.Equal((0L, FinishReason.Stop), (harness.Status.PreemptionsTotal, stops.Reasons[0]));
        Assert.Equal(Alone(second), goesOn.Tokens[0]);
    }

    [Fact]
    public void A_preempted_sequence_resumes_with_every_token_that_it_was_sent()
    {
        EngineRequest first = EngineHarness.Request("first", prompt: 8, maxTokens: 16);
        EngineRequest second = EngineHarness.Request("second", prompt: 8, maxTokens: 16, firstToken: 100);
        using EngineHarness harness = new(EngineHarness.Limits(blocks: 9, blockSize: 4, context: 36, stepsInFlight: 2));
        Received stays = harness.Accept(first), goes = harness.Accept(second);
        harness.Finish(stays, goes);
        Assert.Equal((0, 1), (stays.Summary!.Preemptions, goes.Summary!.Preemptions));
        Assert.Equal(Alone(first), stays.Tokens[0]);
        Assert.Equal(Alone(second), goes.Tokens[0]);
    }

    [Fact]
    public void A_prefix_is_found_while_the_step_that_computes_it_is_in_flight()
    {
        using EngineHarness harness = Two();
        Received first = harness.Accept(EngineHarness.Request("first", prompt: 12, maxTokens: 9));
        harness.Step();
        Received second = harness.Accept(EngineHarness.Request("second", prompt: 12, maxTokens: 9));
        harness.Step();
        Assert.Equal(1, harness.Runner.StepsOverlapped);
        harness.Finish(first, second);
        Assert.Equal(8, second.Summary!.CachedTokens);
        Assert.Equal(first.Tokens[0], second.Tokens[0]);
    }

    /// <summary>The step that fills the second block is launched before anybody knows the block's last token; published then, it would be found for a wrong one.</summary>
    [Fact]
    public void A_block_is_found_only_when_its_last_token_is_known()
    {
        List<int> tokens = Alone(EngineHarness.Request("first", prompt: 5, maxTokens: 9));
        using EngineHarness harness = Two();
        Received first = harness.Accept(EngineHarness.Request("first", prompt: 5, maxTokens: 9));
        harness.Step(3);
        Assert.Equal(1, Published(harness)); // seven tokens known and computed, one in flight
        harness.Step();
        Assert.Equal(2, Published(harness));
        Received next = harness.Accept(EngineHarness.Request("next") with { PromptTokens = [.. Enumerable.Range(1, 5), .. tokens[..3], 1] });
        harness.Finish(first, next);
        Assert.Equal(8, next.Summary!.CachedTokens);
    }

    private static int Published(EngineHarness harness) => harness.Engine.Loop.Snapshot().Sequences.Single().PublishedBlocks;

    private static EngineHarness Two() => new(EngineHarness.Limits(stepsInFlight: 2));

    /// <summary>What the reference gives, one token after another.</summary>
    private static List<int> Alone(EngineRequest request, int choice = 0) =>
        [.. new ReferenceScheduler(EngineHarness.Limits(), new EngineOptions(), failOneIn: 0).Run(request).Choices[choice].Tokens];
}
