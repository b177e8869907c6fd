using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using Xunit;

namespace InferenceServer.Engine.Tests.Simulation;

/// <summary>The fake runner notices each breach of the contract that it is there to notice.</summary>
public sealed class FakeRunnerTests : IDisposable
{
    private readonly FakeRunner _runner = new(EngineHarness.Limits(stepsInFlight: 2));
    private readonly StepResult _result = new(8);

    [Fact]
    public void A_decode_fed_back_from_the_step_in_flight_chooses_as_if_it_had_been_read()
    {
        _runner.Launch(Plan(1, [0], 0, 1, 2, 3));
        _runner.Launch(Plan(2, [0], 3, ~0));
        _runner.Await(_result);
        int first = _result.Rows[0].Token;
        _runner.Await(_result);
        int second = _result.Rows[0].Token;

        using FakeRunner other = new(EngineHarness.Limits());
        other.Launch(Plan(1, [0], 0, 1, 2, 3));
        other.Await(_result);
        Assert.Equal(first, _result.Rows[0].Token);
        StepPlan read = Plan(2, [0], 3, first);
        read.Rows[0].Sampling.Accept(first);
        other.Launch(read);
        other.Await(_result);
        Assert.Equal(second, _result.Rows[0].Token);
    }

    [Fact]
    public void A_third_step_is_one_too_many()
    {
        _runner.Launch(Plan(1, [0], 0, 1));
        _runner.Launch(Plan(2, [0], 1, ~0));
        AssertBroken("No more steps in flight", () => _runner.Launch(Plan(3, [0], 2, ~0)));
    }

    [Fact]
    public void Nothing_is_awaited_that_was_not_launched() => AssertBroken("Only what was launched", () => _runner.Await(_result));

    [Fact]
    public void A_token_of_a_step_that_was_read_does_not_feed_back()
    {
        _runner.Launch(Plan(1, [0], 0, 1));
        _runner.Await(_result);
        AssertBroken("from a step in flight", () => _runner.Launch(Plan(2, [0], 1, ~0)));
    }

    [Fact]
    public void A_row_that_does_not_exist_does_not_feed_back()
    {
        _runner.Launch(Plan(1, [0], 0, 1));
        AssertBroken("Only a row of the step before", () => _runner.Launch(Plan(2, [0], 1, ~1)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_step_with_a_row_that_stays_with_the_host_is_read_before_the_next(bool scores)
    {
        StepPlan host = Plan(1, [0], 0, 1);
        if (scores) host.Rows[0].Kind = LogitsRowKind.Score;
        else host.Rows[0].Sampling = new SamplingState(new SamplingParameters { FrequencyPenalty = 1 }, 7, [], []);
        _runner.Launch(host);
        AssertBroken("whose every row feeds back", () => _runner.Launch(Plan(2, [1], 0, 5)));
    }

    [Fact]
    public void A_token_fed_back_to_another_place_is_seen()
    {
        _runner.Launch(Plan(1, [0], 0, 1, 2));
        AssertBroken("to the position", () => _runner.Launch(Plan(2, [0], 3, ~0)));
    }

    [Fact]
    public void A_token_fed_back_to_another_sequence_is_seen()
    {
        _runner.Launch(Plan(1, [0], 0, 1, 2));
        _runner.Await(_result);
        _runner.Launch(Plan(2, [1], 0, 8, 9));
        _runner.Launch(Plan(3, [0], 2, ~0));
        _runner.Await(_result);
        AssertBroken("to the sequence", () => _runner.Await(_result));
    }

    [Fact]
    public void A_row_that_hides_its_pending_token_is_seen()
    {
        _runner.Launch(Plan(1, [0], 0, 1));
        StepPlan plan = Plan(2, [0], 1, ~0);
        plan.Rows[0].PendingTokens = 0;
        AssertBroken("has one pending", () => _runner.Launch(plan));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_plan_that_changes_in_flight_is_seen(bool inItsBlockTable)
    {
        StepPlan plan = Plan(1, [0], 0, 1);
        _runner.Launch(plan);
        if (inItsBlockTable) plan.Sequences[0].BlockTable[0] = 5;
        else plan.TokenIds[0] = 5;
        AssertBroken("stays as it was launched", () => _runner.Await(_result));
    }

    /// <summary>The second step takes the block over, as nobody may while the third still reads it.</summary>
    [Fact]
    public void A_block_that_another_wrote_meanwhile_is_seen()
    {
        _runner.Launch(Plan(1, [0], 0, 1, 2));
        _runner.Await(_result);
        _runner.Launch(Plan(2, [0], 0, 8));
        _runner.Launch(Plan(3, [0], 2, 3));
        _runner.Await(_result);
        AssertBroken("after the token before it", () => _runner.Await(_result));
    }

    public void Dispose() => _runner.Dispose();

    private static void AssertBroken(string rule, Action act) => Assert.Contains(rule, Assert.Throws<InvalidOperationException>(act).Message);

    /// <summary>One sequence, its next tokens, and a row for the last of them.</summary>
    private static StepPlan Plan(long index, int[] table, int computed, params int[] tokens)
    {
        StepPlan plan = new(64, 8, 8) { StepIndex = index, TokenCount = tokens.Length, SequenceCount = 1, RowCount = 1 };
        int count = computed + tokens.Length;
        for (int i = 0; i < tokens.Length; i++)
        {
            plan.TokenIds[i] = tokens[i];
            plan.Positions[i] = computed + i;
            plan.Slots[i] = table[(computed + i) / 4] * 4 + (computed + i) % 4;
        }

        plan.Sequences[0] = new StepSequence { TokenCount = tokens.Length, ComputedTokens = computed, BlockTable = table, BlockCount = (count + 3) / 4 };
        plan.Rows[0] = new LogitsRow
        {
            Token = tokens.Length - 1,
            Position = count,
            PendingTokens = tokens[^1] < 0 ? 1 : 0,
            Sampling = new SamplingState(new SamplingParameters(), 7, [], []),
        };
        return plan;
    }
}
