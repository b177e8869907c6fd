using InferenceServer.Core.Stepping;
using Xunit;

namespace InferenceServer.Core.Tests;

public class CounterRandomTests
{
    /// <summary>Random123's kat_vectors for philox4x32 10. CounterRandom's last counter word is always 0, so the others hold the twin below to the paper.</summary>
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u)]
    [InlineData(~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276du)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u)]
    public void The_plain_generator_gives_the_papers_known_answers(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1, uint expected) =>
        Assert.Equal(expected, Philox([c0, c1, c2, c3], k0, k1));

    [Fact]
    public void Zero_seed_position_and_draw_give_the_papers_known_answer() => Assert.Equal(0x6627e8d5u, CounterRandom.Bits(0, 0, 0));

    /// <summary>All four words of Random123's first known answer.</summary>
    [Fact]
    public void A_block_of_zeros_gives_the_papers_known_answer()
    {
        uint[] words = new uint[4];
        CounterRandom.Block(0, 0, 0, words);
        Assert.Equal([0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u], words);
    }

    [Fact]
    public void Bits_are_a_blocks_first_word()
    {
        uint[] words = new uint[4];
        for (uint draw = 0; draw < 1000; draw++)
        {
            CounterRandom.Block(77, draw * 3L << 20, draw, words);
            Assert.Equal(CounterRandom.Bits(77, draw * 3L << 20, draw), words[0]);
        }
    }

    [Fact]
    public void Bits_equal_the_plain_generator()
    {
        Random random = new(1);
        for (int i = 0; i < 10_000; i++)
        {
            ulong seed = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
            long position = random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(64);
            uint draw = (uint)random.NextInt64(1L << 32);
            uint expected = Philox([(uint)position, (uint)(position >> 32), draw, 0], (uint)seed, (uint)(seed >> 32));
            Assert.Equal(expected, CounterRandom.Bits(seed, position, draw));
        }
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(1UL)]
    [InlineData(ulong.MaxValue)]
    public void Successive_positions_are_uniform_and_independent(ulong seed)
    {
        const int Draws = 100_000, Bins = 32;
        int[,] pairs = new int[Bins, Bins];
        for (int position = 0; position < Draws; position++)
        {
            float first = CounterRandom.Uniform(seed, position), second = CounterRandom.Uniform(seed, position + 1);
            Assert.InRange(first, 0f, 0.99999997f);
            pairs[(int)(first * Bins), (int)(second * Bins)]++;
        }

        const double Expected = (double)Draws / (Bins * Bins);
        double chiSquare = pairs.Cast<int>().Sum(count => (count - Expected) * (count - Expected) / Expected);
        Assert.True(Math.Abs(chiSquare - 1023) < 4 * Math.Sqrt(2 * 1023), $"seed {seed}: chi-square {chiSquare} at 1023 degrees");
    }

    [Fact]
    public void Draws_and_choices_of_one_seed_differ_and_choice_0_keeps_it()
    {
        Assert.Equal(42UL, CounterRandom.ChoiceSeed(42, 0));
        Assert.Equal(1000, Enumerable.Range(0, 1000).Select(choice => CounterRandom.ChoiceSeed(42, choice)).Distinct().Count());
        Assert.NotEqual(CounterRandom.Uniform(42, 7), CounterRandom.Uniform(42, 7, draw: 1));
        Assert.NotEqual(CounterRandom.Uniform(42, 1L << 32), CounterRandom.Uniform(42, 0));
    }

    /// <summary>Philox4x32-10 written from the paper's figure: the first word of the block.</summary>
    private static uint Philox(uint[] counter, uint key0, uint key1)
    {
        for (uint round = 0; round < 10; round++)
        {
            ulong left = 0xD2511F53UL * counter[0], right = 0xCD9E8D57UL * counter[2];
            uint roundKey0 = key0 + (round * 0x9E3779B9), roundKey1 = key1 + (round * 0xBB67AE85);
            counter = [(uint)(right >> 32) ^ counter[1] ^ roundKey0, (uint)right, (uint)(left >> 32) ^ counter[3] ^ roundKey1, (uint)left];
        }

        return counter[0];
    }
}
