using InferenceServer.Engine.Blocks;
using Xunit;

namespace InferenceServer.Engine.Tests.Blocks;

public class BlockPoolTests
{
    [Fact]
    public void The_end_of_a_freed_table_is_evicted_before_its_beginning()
    {
        BlockPool pool = new(3, blockSize: 1, cachePrefixes: true);
        int[] table = Fill(pool, 1, 2, 3);
        pool.ReleaseTable(table);
        Assert.Equal((3, 3), (pool.FreeCount, pool.FreeCachedCount));
        Assert.Equal(table[2], pool.Allocate());
        Assert.Equal(table[1], pool.Allocate());
        Assert.Equal(table[0], pool.Find(0, PrefixIndex.Root, [1]));
        Assert.Equal(table[0], pool.Allocate());
        Assert.Equal(-1, pool.Find(0, PrefixIndex.Root, [1]));
    }

    [Fact]
    public void Blocks_without_content_go_before_cached_ones()
    {
        BlockPool pool = new(2, blockSize: 1, cachePrefixes: true);
        int cached = Fill(pool, 1)[0];
        int plain = pool.Allocate();
        pool.Release(cached);
        pool.Release(plain);
        Assert.Equal(plain, pool.Allocate());
    }

    [Fact]
    public void A_retained_block_is_not_free_until_both_owners_gave_it_back()
    {
        BlockPool pool = new(2, blockSize: 1, cachePrefixes: true);
        int block = Fill(pool, 1)[0];
        pool.Release(block);
        pool.Retain(block);
        pool.Retain(block);
        Assert.Equal((1, 0), (pool.FreeCount, pool.FreeCachedCount));
        pool.Release(block);
        Assert.Equal(1, pool.FreeCount);
        pool.Release(block);
        Assert.Equal((2, 1), (pool.FreeCount, pool.FreeCachedCount));
    }

    [Fact]
    public void The_first_of_two_equal_blocks_stays_the_one_to_be_found()
    {
        BlockPool pool = new(2, blockSize: 1, cachePrefixes: true);
        int first = pool.Allocate(), second = pool.Allocate();
        long entry = pool.Publish(first, 0, PrefixIndex.Root, [1]);
        Assert.Equal(entry, pool.Publish(second, 0, PrefixIndex.Root, [1]));
        Assert.Equal(first, pool.Find(0, PrefixIndex.Root, [1]));
        pool.Release(second);
        Assert.Equal(0, pool.FreeCachedCount);
    }

    private static int[] Fill(BlockPool pool, params ReadOnlySpan<int> tokens)
    {
        int[] table = new int[tokens.Length];
        long entry = PrefixIndex.Root;
        for (int i = 0; i < table.Length; i++)
        {
            table[i] = pool.Allocate();
            entry = pool.Publish(table[i], 0, entry, tokens.Slice(i, 1));
        }

        return table;
    }
}
