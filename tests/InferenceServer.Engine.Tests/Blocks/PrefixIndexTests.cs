using InferenceServer.Engine.Blocks;
using Xunit;

namespace InferenceServer.Engine.Tests.Blocks;

public class PrefixIndexTests
{
    [Theory]
    [InlineData(1, ulong.MaxValue)]
    [InlineData(2, ulong.MaxValue)]
    [InlineData(3, 3)] // four hashes for everything: nearly every look-up collides
    [InlineData(4, 0)]
    public void It_finds_what_a_dictionary_finds_even_when_hashes_collide(int seed, ulong hashMask)
    {
        const int Blocks = 50;
        Random random = new(seed);
        PrefixIndex index = new(Blocks, blockSize: 2, hashMask);
        Dictionary<(ulong, long, int, int), int> plain = [];
        for (int turn = 0; turn < 20_000; turn++)
        {
            // Few distinct keys, so that additions, hits and removals all happen often.
            (ulong salt, long parent, int a, int b) key = ((ulong)random.Next(2), random.Next(3), random.Next(4), random.Next(4));
            int[] tokens = [key.a, key.b];
            int expected = plain.GetValueOrDefault(key, -1);
            Assert.Equal(expected, index.Find(key.salt, key.parent, tokens));
            int block = random.Next(Blocks);
            if (expected < 0 && !index.Contains(block))
            {
                index.Add(block, key.salt, key.parent, tokens);
                plain[key] = block;
            }
            else if (expected >= 0 && random.Next(3) == 0)
            {
                index.Remove(expected);
                plain.Remove(key);
            }

            Assert.Equal(plain.Count, index.Count);
        }
    }

    [Fact]
    public void A_block_added_again_is_another_entry_so_that_what_hung_on_the_old_one_is_not_found()
    {
        PrefixIndex index = new(4, blockSize: 1);
        index.Add(0, salt: 0, PrefixIndex.Root, [1]);
        long old = index.EntryOf(0);
        index.Add(1, salt: 0, old, [2]);
        index.Remove(0);
        index.Add(0, salt: 0, PrefixIndex.Root, [9]);
        Assert.Equal(-1, index.Find(0, index.EntryOf(0), [2]));
        Assert.Equal(1, index.Find(0, old, [2]));
    }
}
