using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Steps;

namespace InferenceServer.Cuda.Tests.Backend;

public sealed class StepGraphsTests
{
    [Fact]
    public void Buckets_are_1_2_4_and_then_every_eight()
    {
        int[] buckets = [.. Enumerable.Range(1, 256).Select(StepGraphs.BucketFor).Distinct()];
        Assert.Equal([1, 2, 4, .. Enumerable.Range(1, 32).Select(i => 8 * i)], buckets);
        for (int count = 1; count <= 256; count++) Assert.InRange(StepGraphs.BucketFor(count), count, Math.Max(4, count + 7));
    }

    [Fact]
    public void Only_a_step_of_decodes_has_a_bucket()
    {
        using StepGraphs graphs = new(20);
        Assert.Equal(8, graphs.BucketOf(Decodes(5)));
        Assert.Equal(20, graphs.BucketOf(Decodes(17))); // a bucket of 24 would not fit the buffers
        Assert.Equal(0, graphs.BucketOf(Decodes(21)));
        StepPlan longer = Decodes(3);
        (longer.Sequences[2].TokenCount, longer.TokenCount) = (2, 4);
        Assert.Equal(0, graphs.BucketOf(longer));
        StepPlan silent = Decodes(3);
        silent.RowCount = 2;
        Assert.Equal(0, graphs.BucketOf(silent));
        StepPlan swapped = Decodes(3);
        (swapped.Rows[0].Token, swapped.Rows[1].Token) = (1, 0);
        Assert.Equal(0, graphs.BucketOf(swapped));
        using StepGraphs none = new(0);
        Assert.Equal(0, none.BucketOf(Decodes(1)));
    }

    [Fact]
    public void A_bucket_runs_eagerly_once_before_it_is_captured()
    {
        using StepGraphs graphs = new(8);
        Assert.Equal(StepMode.Eager, graphs.ModeOf(4));
        Assert.Equal(StepMode.Eager, graphs.ModeOf(4)); // the first one failed half-way
        graphs.RanEagerly(4);
        Assert.Equal(StepMode.Capture, graphs.ModeOf(4));
        Assert.Equal(StepMode.Eager, graphs.ModeOf(8));
        Assert.Equal(StepMode.Eager, graphs.ModeOf(0));
    }

    private static StepPlan Decodes(int count)
    {
        StepPlan plan = new(64, 64, 64) { TokenCount = count, SequenceCount = count, RowCount = count };
        for (int i = 0; i < count; i++)
        {
            plan.Sequences[i] = new StepSequence { FirstToken = i, TokenCount = 1 };
            plan.Rows[i].Token = i;
        }

        return plan;
    }
}
