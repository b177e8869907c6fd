using System.Buffers.Binary;
using InferenceServer.Core.Compute;

namespace InferenceServer.Cpu.Tests.Plain;

/// <summary>GGUF's blocks number by number, as their description in <see cref="ElementType"/> reads; nothing shared with the kernels' layouts.</summary>
internal static class PlainBlocks
{
    /// <summary>Number i of a block.</summary>
    public static double Number(ReadOnlySpan<byte> block, ElementType type, int i) => type switch
    {
        ElementType.Q8 => Half(block, 0) * (sbyte)block[2 + i],
        ElementType.Q4 => Half(block, 0) * ((i < 16 ? block[2 + i] & 15 : block[2 + i - 16] >> 4) - 8),
        ElementType.Q4K => FromK(block, i, Nibble(block[16..], i)),
        ElementType.Q5K => FromK(block, i, Nibble(block[48..], i) + 16 * (block[16 + i % 32] >> (i / 32) & 1)),
        ElementType.Q6K => Half(block, 208) * (sbyte)block[192 + i / 16] * (SixBits(block, i) - 32),
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

    /// <summary>Blocks of random quants with scales of about 1 / 100.</summary>
    public static byte[] Random(Random random, ElementType type, long blocks)
    {
        byte[] stored = new byte[blocks * type.BlockBytes()];
        random.NextBytes(stored);
        for (int at = 0; at < stored.Length; at += type.BlockBytes())
        {
            int half = type == ElementType.Q6K ? 208 : 0;
            WriteHalf(stored.AsSpan(at + half), (random.NextDouble() + 0.5) / 100);
            if (type is ElementType.Q4K or ElementType.Q5K) WriteHalf(stored.AsSpan(at + 2), (random.NextDouble() - 0.5) / 10);
        }

        return stored;
    }

    private static void WriteHalf(Span<byte> target, double value) => BinaryPrimitives.WriteHalfLittleEndian(target, (Half)value);

    private static double Half(ReadOnlySpan<byte> block, int at) => (double)BinaryPrimitives.ReadHalfLittleEndian(block[at..]);

    /// <summary>Each 32 bytes hold 64 numbers: the low nibbles are the first 32.</summary>
    private static int Nibble(ReadOnlySpan<byte> nibbles, int i)
    {
        byte both = nibbles[i / 64 * 32 + i % 32];
        return i % 64 < 32 ? both & 15 : both >> 4;
    }

    private static double FromK(ReadOnlySpan<byte> block, int i, int number)
    {
        int j = i / 32;
        ReadOnlySpan<byte> packed = block.Slice(4, 12);
        int scale = j < 4 ? packed[j] & 63 : (packed[j + 4] & 15) + 16 * (packed[j - 4] >> 6);
        int minimum = j < 4 ? packed[j + 4] & 63 : (packed[j + 4] >> 4) + 16 * (packed[j] >> 6);
        return Half(block, 0) * scale * number - Half(block, 2) * minimum;
    }

    private static int SixBits(ReadOnlySpan<byte> block, int i)
    {
        int half = i / 128, within = i % 128, quarter = within / 32, l = within % 32;
        byte low = block[half * 64 + (quarter % 2 * 32) + l];
        int nibble = quarter < 2 ? low & 15 : low >> 4;
        return nibble + 16 * (block[128 + half * 32 + l] >> (2 * quarter) & 3);
    }
}
