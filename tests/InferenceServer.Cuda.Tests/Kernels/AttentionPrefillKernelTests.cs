using InferenceServer.Core.Compute;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>Attention of many rows against the plain one: head sizes, chunks with and without a prefix, windows, several sequences.</summary>
public class AttentionPrefillKernelTests
{
    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(32)]
    [InlineData(64)]
    [InlineData(80)]
    [InlineData(96)]
    [InlineData(128)]
    [InlineData(256)]
    public void Every_head_size_matches_the_plain_attention(int headDim)
    {
        using KernelRig rig = new();
        foreach (ElementType precision in new[] { ElementType.BF16, ElementType.F16 })
            Check(rig, new AttentionSize(2, 1, headDim) { Precision = precision }, [70, 40], [70, 3]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Chunks_with_and_without_a_prefix_match(int blockShift)
    {
        using KernelRig rig = new(seed: blockShift);
        AttentionSize size = new(3, 1, 32) { BlockShift = blockShift };
        Check(rig, size, [2, 64, 65, 130], [2, 64, 65, 130]); // nothing before them
        Check(rig, size, [66, 127, 128, 129, 200], [2, 63, 64, 2, 70]); // a prefix that ends in a block, at its end, in another tile
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(100)]
    public void Only_the_window_of_each_row_is_seen(int window)
    {
        using KernelRig rig = new();
        Check(rig, new AttentionSize(2, 2, 64) { Window = window }, [200, 64, 150], [80, 64, 2]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(16)]
    public void Heads_take_the_keys_of_their_group(int group)
    {
        using KernelRig rig = new();
        Check(rig, new AttentionSize(2 * group, 2, 16), [20], [20]);
    }

    private static void Check(KernelRig rig, AttentionSize size, int[] lengths, int[] queries)
    {
        double distance = new AttentionScene(size, lengths, queries).PrefillDistance(rig);
        Assert.True(distance <= Numbers.Tolerance(size.Precision), $"{size}, lengths {string.Join(' ', lengths)}, rows {string.Join(' ', queries)}: relative error {distance:e2}");
    }
}
