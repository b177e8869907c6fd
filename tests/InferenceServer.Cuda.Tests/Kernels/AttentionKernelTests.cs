using InferenceServer.Core.Compute;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>Decode and prefill attention against the plain formula.</summary>
public class AttentionKernelTests
{
    [Theory]
    [InlineData(1, 8)]
    [InlineData(2, 16)]
    [InlineData(3, 32)]
    [InlineData(4, 64)]
    [InlineData(5, 80)]
    [InlineData(7, 96)]
    [InlineData(8, 128)]
    [InlineData(12, 64)]
    [InlineData(16, 32)]
    [InlineData(4, 256)]
    public void Decode_matches_for_any_group_and_head_size(int group, int headDim)
    {
        foreach (ElementType precision in new[] { ElementType.BF16, ElementType.F16 })
        {
            AttentionCase one = new(2 * group, 2, headDim, 4, [0, 5, 100, 63], [1, 1, 1, 1], precision);
            using KernelRig rig = new();
            one.Check(one.Decode(rig, piece: 48));
        }
    }

    [Theory]
    [InlineData(0, 1000, 0)]
    [InlineData(3, 16, 0)]
    [InlineData(4, 16, 0)]
    [InlineData(5, 32, 0)]
    [InlineData(4, 64, 40)]
    [InlineData(4, 16, 17)]
    [InlineData(3, 200, 1)]
    public void Decode_matches_for_any_block_size_piece_and_window(int blockShift, int piece, int window)
    {
        AttentionCase one = new(8, 2, 64, blockShift, [150, 40, 16, 15, 0], [1, 1, 1, 1, 1], window: window);
        using KernelRig rig = new();
        one.Check(one.Decode(rig, piece, walkers: 2, launches: 2));
    }

    [Fact]
    public void Pieces_are_combined_the_same_in_any_order()
    {
        AttentionCase one = new(8, 2, 64, 4, [300, 177], [1, 1]);
        float[]? first = null;
        for (int seed = 1; seed <= 4; seed++)
        {
            using KernelRig rig = new(seed: seed);
            float[] found = one.Decode(rig, piece: 32, walkers: seed);
            Assert.Equal(first ??= found, found);
        }
    }

    [Theory]
    [InlineData(1, 8)]
    [InlineData(2, 16)]
    [InlineData(3, 32)]
    [InlineData(4, 64)]
    [InlineData(2, 80)]
    [InlineData(1, 96)]
    [InlineData(2, 128)]
    [InlineData(1, 256)]
    public void Prefill_matches_for_any_group_and_head_size(int group, int headDim)
    {
        foreach (ElementType precision in new[] { ElementType.BF16, ElementType.F16 })
        {
            AttentionCase one = new(group, 1, headDim, 4, [0, 33], [70, 5], precision);
            using KernelRig rig = new();
            one.Check(one.Prefill(rig));
        }
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(3, 0)]
    [InlineData(5, 0)]
    [InlineData(4, 20)]
    [InlineData(4, 64)]
    [InlineData(4, 1)]
    public void Prefill_matches_with_prefixes_blocks_and_windows(int blockShift, int window)
    {
        AttentionCase one = new(2, 1, 64, blockShift, [0, 130, 7, 64], [65, 3, 64, 1], window: window);
        using KernelRig rig = new();
        one.Check(one.Prefill(rig));
    }
}
