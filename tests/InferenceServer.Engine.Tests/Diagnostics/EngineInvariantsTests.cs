using InferenceServer.Engine.Diagnostics;
using InferenceServer.Engine.Scheduling;
using Xunit;

namespace InferenceServer.Engine.Tests.Diagnostics;

/// <summary>Each rule notices the damage it is there for.</summary>
public class EngineInvariantsTests
{
    [Fact]
    public void A_sound_engine_has_nothing_to_complain_of() => Assert.Empty(EngineInvariants.Check(Busy()));

    [Fact]
    public void A_leaked_reference_is_seen() =>
        AssertBroken("references but stands in", snapshot =>
        {
            int block = snapshot.Sequences.First(sequence => sequence.Table.Length > 0).Table[0];
            snapshot.Blocks[block] = snapshot.Blocks[block] with { References = snapshot.Blocks[block].References + 1 };
        });

    [Fact]
    public void A_used_block_in_the_free_list_is_seen() =>
        AssertBroken("in the free list", snapshot => snapshot.FreeList[0] = snapshot.Sequences.First(sequence => sequence.Table.Length > 0).Table[0]);

    [Fact]
    public void A_block_freed_twice_is_seen() => AssertBroken("twice", snapshot => snapshot.FreeList[0] = snapshot.FreeList[1]);

    [Fact]
    public void A_stale_cache_entry_is_seen() =>
        AssertBroken("cached for other tokens", snapshot =>
            snapshot.Blocks[snapshot.Sequences.First(sequence => sequence.PublishedBlocks > 0).Table[0]].Tokens[0]++);

    [Fact]
    public void A_prefix_of_another_salt_is_seen() =>
        AssertBroken("another salt", snapshot => Replace(snapshot, sequence => sequence.PublishedBlocks > 0, sequence => sequence with { Salt = 99 }));

    [Fact]
    public void Computed_tokens_beyond_the_known_ones_are_seen() =>
        AssertBroken("known tokens", snapshot => Replace(snapshot, sequence => sequence.Table.Length > 0, sequence => sequence with { ComputedTokens = sequence.KnownTokens.Length }));

    [Fact]
    public void A_block_writable_in_two_tables_is_seen() =>
        AssertBroken("is writable by", snapshot =>
        {
            SequenceSnapshot other = snapshot.Sequences.First(sequence => sequence.RequestId == "one");
            Replace(snapshot, sequence => sequence.RequestId == "two", sequence => sequence with { Table = [.. sequence.Table[..^1], other.Table[^1]] });
        });

    [Fact]
    public void A_running_set_out_of_rank_is_seen() => AssertBroken("out of rank", snapshot => snapshot.Running.AsSpan().Reverse());

    [Fact]
    public void A_waiting_sequence_that_holds_blocks_is_seen() =>
        AssertBroken("though it does not run", snapshot =>
            Replace(snapshot, sequence => sequence.Table.Length > 0, sequence => sequence with { Status = SequenceStatus.Waiting }));

    [Fact]
    public void A_table_that_changes_its_past_is_seen()
    {
        EngineSnapshot before = Busy(), now = Busy();
        SequenceSnapshot two = now.Sequences.First(sequence => sequence.RequestId == "two");
        Replace(now, sequence => sequence.RequestId == "one", sequence => sequence with { Table = [two.Table[0], .. sequence.Table[1..]] });
        Assert.Contains(EngineInvariants.Check(now, before), sentence => sentence.Contains("a full block in its table changed"));
    }

    [Fact]
    public void A_token_in_flight_that_no_row_chooses_is_seen() =>
        AssertBroken("rows in flight", BusyInFlight(), snapshot =>
            Replace(snapshot, sequence => sequence.PendingTokens > 0, sequence => sequence with { PendingTokens = 0, ComputedTokens = sequence.ComputedTokens - 1 }));

    [Fact]
    public void A_token_in_flight_that_is_looked_for_in_anothers_row_is_seen() =>
        AssertBroken("which is another's", BusyInFlight(), snapshot =>
            Replace(snapshot, sequence => sequence.PendingTokens > 0, sequence => sequence with { PendingRow = 1 - sequence.PendingRow }));

    [Fact]
    public void A_sequence_sent_back_while_in_flight_is_seen() =>
        AssertBroken("in flight though it does not run", BusyInFlight(), snapshot =>
            Replace(snapshot, sequence => sequence.PendingTokens > 0, sequence => sequence with { Status = SequenceStatus.Waiting }));

    [Fact]
    public void A_block_published_for_a_token_that_nobody_knows_is_seen() =>
        AssertBroken("has published", BusyInFlight(), snapshot =>
            Replace(snapshot, sequence => sequence.PendingTokens > 0, sequence => sequence with { PublishedBlocks = sequence.PublishedBlocks + 1 }));

    private static void AssertBroken(string rule, Action<EngineSnapshot> damage) => AssertBroken(rule, Busy(), damage);

    private static void AssertBroken(string rule, EngineSnapshot snapshot, Action<EngineSnapshot> damage)
    {
        Assert.Empty(EngineInvariants.Check(snapshot));
        damage(snapshot);
        Assert.Contains(EngineInvariants.Check(snapshot), sentence => sentence.Contains(rule));
    }

    private static void Replace(EngineSnapshot snapshot, Func<SequenceSnapshot, bool> which, Func<SequenceSnapshot, SequenceSnapshot> change)
    {
        int index = Array.FindIndex(snapshot.Sequences, sequence => which(sequence));
        snapshot.Sequences[index] = change(snapshot.Sequences[index]);
    }

    /// <summary>Two run on partly filled last blocks, one waits, some blocks are cached and free.</summary>
    private static EngineSnapshot Busy() => Busy(stepsInFlight: 1, steps: 2);

    /// <summary>The same, and each of the two has a token in flight.</summary>
    private static EngineSnapshot BusyInFlight() => Busy(stepsInFlight: 2, steps: 3);

    private static EngineSnapshot Busy(int stepsInFlight, int steps)
    {
        using EngineHarness harness = new(EngineHarness.Limits(sequences: 2, stepsInFlight: stepsInFlight));
        harness.Finish(harness.Accept(EngineHarness.Request("early", prompt: 12, maxTokens: 2, firstToken: 300)));
        harness.Accept(EngineHarness.Request("one", prompt: 9, maxTokens: 20));
        harness.Accept(EngineHarness.Request("two", prompt: 9, maxTokens: 20, firstToken: 100));
        harness.Accept(EngineHarness.Request("three", prompt: 9, maxTokens: 20, firstToken: 200));
        harness.Step(steps);
        return harness.Engine.Loop.Snapshot();
    }
}
