using InferenceServer.Core.Compute;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>Attention of single rows against the plain one: groups, head sizes, block sizes, windows, pieces.</summary>
public class AttentionDecodeKernelTests
{
    private static readonly int[] Groups = [1, 2, 3, 4, 5, 7, 8, 12, 16];

    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(32)]
    [InlineData(64)]
    [InlineData(80)]
    [InlineData(96)]
    [InlineData(128)]
    [InlineData(256)]
    public void Every_group_and_head_size_matches_the_plain_attention(int headDim)
    {
        using KernelRig rig = new();
        foreach (int group in Groups)
        {
            ElementType precision = group % 2 == 0 ? ElementType.BF16 : ElementType.F16;
            int kvHeads = group > 4 ? 1 : 2;
            Check(rig, new AttentionSize(group * kvHeads, kvHeads, headDim) { Precision = precision }, [1, 37 + group, 70], [1, 2, 3], 2);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Every_block_size_and_number_of_pieces_matches(int blockShift)
    {
        using KernelRig rig = new(seed: blockShift);
        AttentionSize size = new(6, 2, 64) { BlockShift = blockShift };
        foreach (int pieces in new[] { 1, 2, 3, 5, 8, 40 })
            foreach (int walkers in new[] { 1, 3, 64 })
                Check(rig, size, [40, 5, 133], [pieces, 1, pieces + 1], walkers);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(64)]
    [InlineData(500)]
    public void Only_the_window_is_seen_and_pieces_outside_bring_nothing(int window)
    {
        using KernelRig rig = new();
        AttentionSize size = new(4, 1, 128) { Window = window, BlockShift = 3 };
        foreach (int pieces in new[] { 1, 2, 6 }) Check(rig, size, [window, window + 1, 200, 3], [pieces, pieces, pieces, 1], 3);
    }

    [Fact]
    public void The_order_in_which_pieces_arrive_changes_no_bit()
    {
        AttentionSize size = new(4, 2, 64);
        HashSet<double> distances = [];
        for (int seed = 1; seed <= 6; seed++)
        {
            using KernelRig rig = new(seed: seed);
            distances.Add(new AttentionScene(size, [150, 90], [1, 1]).DecodeDistance(rig, [7, 5], 4));
        }

        Assert.Single(distances);
    }

    private static void Check(KernelRig rig, AttentionSize size, int[] lengths, int[] pieces, int walkers)
    {
        double distance = new AttentionScene(size, lengths, [.. lengths.Select(_ => 1)]).DecodeDistance(rig, pieces, walkers);
        Assert.True(distance <= Numbers.Tolerance(size.Precision),
            $"{size}, lengths {string.Join(' ', lengths)}, pieces {string.Join(' ', pieces)}, {walkers} walkers: relative error {distance:e2}");
    }
}
