using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Steps;

namespace InferenceServer.Cuda.Tests.Backend;

public sealed class PlanCheckTests
{
    private static readonly KvCacheShape Shape = new(1, 1, 8, 4, 3);
    private static readonly CudaOptions Limits = new() { MaxTokensPerStep = 4, MaxSequencesPerStep = 2, MaxRowsPerStep = 4, ContextLength = 8 };

    [Fact]
    public void Plans_that_point_outside_are_refused_by_what_is_wrong()
    {
        Refused(p => p.Slots[1] = 12, "slot 12");
        Refused(p => p.Slots[1] = -1, "slot -1");
        Refused(p => p.Positions[2] = 8, "position 8");
        Refused(p => p.Sequences[0].BlockCount = 3, "claims 3 blocks");
        Refused(p => p.Sequences[0].TokenCount = 4, "claims tokens 0 + 4");
        Refused(p => p.Sequences[0].TokenCount = 2, "cover 2 of 3");
        Refused(p => p.Sequences[0].ComputedTokens = 6, "has 9 tokens; the context is 8");
        Refused(p => p.Copies[0] = new BlockCopy(0, 3), "copies block 0 to 3");
        Refused(p => p.Rows[0].Token = 3, "row 0 asks for token 3 of 3");
        Refused(p => p.RowCount = 5, "5 rows");
    }

    [Fact]
    public void A_block_table_that_lies_is_seen_wherever_it_lies()
    {
        foreach (int length in new[] { 1, 7, 8, 9, 40 })
        {
            int[] table = [.. Enumerable.Range(0, length)];
            StepPlan plan = new(1, 1, 1) { StepIndex = 5 };
            PlanCheck.CheckBlocks(plan, 0, table, length);
            for (int i = 0; i < length; i++)
            {
                foreach (int wrong in new[] { -1, length, int.MaxValue })
                {
                    (int right, table[i]) = (table[i], wrong);
                    Assert.Contains($"names block {wrong}", Assert.Throws<ArgumentException>(() => PlanCheck.CheckBlocks(plan, 0, table, length)).Message, StringComparison.Ordinal);
                    table[i] = right;
                }
            }
        }
    }

    [Fact]
    public void A_token_may_be_what_the_step_before_left_on_the_device_and_nothing_else()
    {
        StepPlan plan = new(2, 2, 2) { TokenCount = 2, TokenIds = { [0] = 5, [1] = ~1 } };
        PlanCheck.CheckTokenIds(plan, 6, [false, true]);
        Assert.Throws<ArgumentException>(() => PlanCheck.CheckTokenIds(plan, 5, [false, true]));
        Assert.Contains("row 1 of the step before", Assert.Throws<ArgumentException>(() => PlanCheck.CheckTokenIds(plan, 6, [true, false])).Message, StringComparison.Ordinal);
        Assert.Contains("which had 1 rows", Assert.Throws<ArgumentException>(() => PlanCheck.CheckTokenIds(plan, 6, [true])).Message, StringComparison.Ordinal);
    }

    private static void Refused(Action<StepPlan> damage, string why)
    {
        StepPlan plan = Plan();
        PlanCheck.Check(plan, Shape, Limits); // sound as built
        damage(plan);
        Assert.Contains(why, Assert.Throws<ArgumentException>(() => PlanCheck.Check(plan, Shape, Limits)).Message, StringComparison.Ordinal);
    }

    private static StepPlan Plan()
    {
        StepPlan plan = new(8, 4, 8) { TokenCount = 3, SequenceCount = 1, RowCount = 1, CopyCount = 1 };
        for (int t = 0; t < 3; t++) plan.Positions[t] = plan.Slots[t] = t;
        plan.Sequences[0] = new StepSequence { TokenCount = 3, BlockTable = [0, 1], BlockCount = 2 };
        plan.Rows[0].Token = 2;
        plan.Copies[0] = new BlockCopy(0, 2);
        return plan;
    }
}
