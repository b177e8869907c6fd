using InferenceServer.Cpu.Memory;

namespace InferenceServer.Cpu.Tests;

public sealed unsafe class WeightArenaTests
{
    [Fact]
    public void What_is_taken_never_overlaps_and_begins_at_a_cache_line()
    {
        using WeightArena arena = new(hugePages: true);
        Random random = new(3);
        List<(nint Begin, long Bytes)> taken = [];
        long sum = 0;
        foreach (long bytes in (long[])[1, 64, 65, 70L << 20, 5, 33L << 20, 33L << 20, 40L << 20, .. Enumerable.Range(0, 200).Select(_ => random.NextInt64(0, 1 << 20))])
        {
            byte* memory = arena.Take(bytes, "a test");
            Assert.Equal(0, (nint)memory % NativeBuffer.Alignment);
            if (bytes > 0) memory[0] = memory[bytes - 1] = 1; // ours to write
            taken.Add(((nint)memory, bytes));
            sum += bytes;
        }

        Assert.Equal(sum, arena.Bytes);
        (nint Begin, long Bytes)[] inOrder = [.. taken.Where(t => t.Bytes > 0).OrderBy(t => t.Begin)];
        for (int i = 1; i < inOrder.Length; i++) Assert.True(inOrder[i - 1].Begin + inOrder[i - 1].Bytes <= inOrder[i].Begin, $"{inOrder[i - 1]} reaches into {inOrder[i]}");
    }

    [Fact]
    public void Small_matrices_lie_side_by_side()
    {
        using WeightArena arena = new(hugePages: true);
        byte* first = arena.Take(5 << 20, "a test"), second = arena.Take(5 << 20, "a test");
        Assert.Equal((nint)first + (5 << 20), (nint)second);
    }

    [Fact]
    public void Isolated_matrices_begin_at_huge_pages_of_their_own()
    {
        using WeightArena arena = new(hugePages: true, isolated: true);
        byte* first = arena.Take(5 << 20, "a test"), second = arena.Take(5 << 20, "a test");
        Assert.Equal(0, (nint)first % HugePages.Bytes);
        Assert.Equal(0, (nint)second % HugePages.Bytes);
        Assert.Equal(10 << 20, arena.Bytes);
    }
}
