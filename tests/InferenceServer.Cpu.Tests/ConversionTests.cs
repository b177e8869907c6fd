using System.Buffers.Binary;
using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Ops;
using InferenceServer.Cpu.Tests.Plain;

namespace InferenceServer.Cpu.Tests;

/// <summary>Float weights to fewer bits at load, against plain arithmetic in double; and what is left as it is stored.</summary>
public sealed class ConversionTests
{
    [Fact]
    public void Bf16_is_the_nearest_and_ties_go_to_even()
    {
        Assert.Equal(0x3F80, Conversion.ToBf16(1f));
        Assert.Equal(0x3F80, Conversion.ToBf16(1 + 1f / 256)); // halfway between 1 and 1 + 1/128: the even one
        Assert.Equal(0x3F82, Conversion.ToBf16(1 + 3f / 256));
        Assert.Equal(0x3F81, Conversion.ToBf16(1 + 1.0001f / 256));
        Assert.Equal(0x8000, Conversion.ToBf16(-0f));
        Assert.Equal(0x7F80, Conversion.ToBf16(float.MaxValue)); // nearer to the next power of two, which is infinity
        Assert.Equal(0xFF80, Conversion.ToBf16(float.NegativeInfinity));
        foreach (uint nan in new[] { 0x7F800001u, 0x7FFFFFFFu, 0xFFFFFFFFu })
            Assert.True(float.IsNaN(Widen(Conversion.ToBf16(BitConverter.UInt32BitsToSingle(nan)))));
        Random random = new(1);
        for (int i = 0; i < 10_000; i++)
        {
            float value = BitConverter.UInt32BitsToSingle((uint)random.NextInt64(1L << 32));
            if (!float.IsFinite(value)) continue;
            ushort found = Conversion.ToBf16(value);
            double error = Math.Abs((double)Widen(found) - value);
            foreach (int neighbour in new[] { -1, 1 }) Assert.False(Math.Abs((double)Widen((ushort)(found + neighbour)) - value) < error, $"{value:R} became {found:X4}");
        }
    }

    /// <summary>Every bit pattern, at every place in a vector and behind the last whole one.</summary>
    [Theory]
    [InlineData(ElementType.BF16)]
    [InlineData(ElementType.F16)]
    public void Vectors_widen_as_one_number_is_widened(ElementType type)
    {
        for (int length = 1; length <= 49; length += 6)
        {
            float[] values = new float[length];
            for (int first = 0; first < 65536; first += length)
            {
                ushort[] stored = [.. Enumerable.Range(first, length).Select(bits => (ushort)bits)];
                HostValues.Widen(MemoryMarshal.AsBytes(stored.AsSpan()), type, values);
                for (int i = 0; i < length; i++)
                    Assert.Equal(BitConverter.SingleToUInt32Bits(PlainConversion.Widen(stored[i], type)), BitConverter.SingleToUInt32Bits(values[i]));
            }
        }
    }

    [Fact]
    public void Vectors_of_bf16_are_the_plain_loops()
    {
        Random random = new(6);
        for (int round = 0; round < 4000; round++)
        {
            float[] values = [.. Enumerable.Range(0, random.Next(1, 70)).Select(_ => BitConverter.UInt32BitsToSingle((uint)random.NextInt64(1L << 32)))];
            Assert.Equal(values.Select(PlainConversion.ToBf16), MemoryMarshal.Cast<byte, ushort>(Convert(values, ElementType.BF16)).ToArray());
        }
    }

    /// <summary>Blocks of like sizes, of any bits at all, of ties and halves, of zeros of either sign, of what is too small for a scale.</summary>
    [Theory]
    [InlineData(ElementType.Q8)]
    [InlineData(ElementType.Q4)]
    public void Vectors_of_blocks_are_the_plain_loops(ElementType type)
    {
        Random random = new(7);
        Func<float>[] kinds =
        [
            () => random.NextSingle() * 2 - 1, () => BitConverter.UInt32BitsToSingle((uint)random.NextInt64(1L << 32)), () => random.Next(-127, 128) / 2f,
            () => random.Next(2) == 0 ? 0f : -0f, () => random.Next(-9, 10), () => (random.NextSingle() - 0.5f) * 1e-38f, () => random.Next(-200, 200) * float.Epsilon,
        ];
        for (int round = 0; round < 20_000; round++)
        {
            float[] values = [.. Enumerable.Range(0, 32).Select(_ => kinds[round % kinds.Length]())];
            byte[] expected = type == ElementType.Q8 ? PlainConversion.ToQ8(values) : PlainConversion.ToQ4(values), found = Convert(values, type);
            bool isNaN = Half.IsNaN(BinaryPrimitives.ReadHalfLittleEndian(expected)) && Half.IsNaN(BinaryPrimitives.ReadHalfLittleEndian(found));
            Assert.True(isNaN ? found.AsSpan(2).SequenceEqual(expected.AsSpan(2)) : found.AsSpan().SequenceEqual(expected), // which NaN of several the scale has says nothing
                $"round {round}: {System.Convert.ToHexString(expected)} became {System.Convert.ToHexString(found)} of {string.Join(' ', values)}");
        }
    }

    [Theory]
    [InlineData(ElementType.Q8)]
    [InlineData(ElementType.Q4)]
    public void A_blocks_numbers_are_the_nearest_that_its_scale_has(ElementType type)
    {
        Random random = new(2);
        foreach (float size in new[] { 1e-3f, 1f, 30f })
        {
            for (int round = 0; round < 200; round++)
            {
                float[] values = Samples.Floats(random, 64, size);
                byte[] stored = Convert(values, type);
                for (int block = 0; block < 2; block++) CheckBlock(values.AsSpan(block * 32, 32), stored.AsSpan(block * type.BlockBytes(), type.BlockBytes()), type);
            }
        }
    }

    [Fact]
    public void Q8_rounds_halves_away_from_zero()
    {
        float[] values = new float[32];
        (values[0], values[1], values[2], values[3]) = (127, 0.5f, -0.5f, 1.49f); // the scale is 1
        Assert.Equal([127, 1, 0xFF, 1], Convert(values, ElementType.Q8)[2..6]);
    }

    [Theory]
    [InlineData(8f)]
    [InlineData(-8f)]
    public void Q4_gives_the_farthest_number_the_code_0(float farthest)
    {
        float[] values = new float[32];
        values[5] = farthest;
        values[20] = -farthest; // as far: the first counts, and this one gets 15 at most
        byte[] block = Convert(values, ElementType.Q4);
        Assert.Equal(farthest, PlainBlocks.Number(block, ElementType.Q4, 5));
        Assert.Equal(-farthest * 7 / 8, PlainBlocks.Number(block, ElementType.Q4, 20));
        Assert.Equal(0, block[2 + 5] & 15);
    }

    [Theory]
    [InlineData(ElementType.Q8)]
    [InlineData(ElementType.Q4)]
    public void Zeros_stay_zeros(ElementType type)
    {
        byte[] stored = Convert(new float[32], type);
        for (int i = 0; i < 32; i++) Assert.Equal(0, PlainBlocks.Number(stored, type, i));
    }

    [Theory]
    [InlineData(ElementType.Q8, float.NaN)]
    [InlineData(ElementType.Q8, float.PositiveInfinity)]
    [InlineData(ElementType.Q4, float.NaN)]
    [InlineData(ElementType.Q4, float.NegativeInfinity)]
    public void What_is_no_number_never_passes_for_one(ElementType type, float bad)
    {
        for (int at = 0; at < 32; at++)
        {
            float[] values = Samples.Floats(new Random(at), 64);
            values[at] = bad;
            byte[] stored = Convert(values, type);
            Assert.False(double.IsFinite(PlainBlocks.Number(stored, type, at)), $"number {at} became {PlainBlocks.Number(stored, type, at)}");
            Assert.True(double.IsFinite(PlainBlocks.Number(stored.AsSpan(type.BlockBytes()), type, 0)), "the next block took part");
        }
    }

    [Theory]
    [InlineData(WeightPrecision.BF16, ElementType.F32, 40, 2)]
    [InlineData(WeightPrecision.Q8, ElementType.F32, 96, 34 / 32.0)]
    [InlineData(WeightPrecision.Q8, ElementType.BF16, 96, 34 / 32.0)]
    [InlineData(WeightPrecision.Q8, ElementType.F32, 40, 4)] // no whole number of blocks: as stored
    [InlineData(WeightPrecision.Q4, ElementType.F16, 172, 2)]
    [InlineData(WeightPrecision.Q4, ElementType.BF16, 64, 18 / 32.0)]
    [InlineData(WeightPrecision.F32, ElementType.BF16, 40, 4)]
    public void A_row_that_is_no_whole_number_of_blocks_stays_as_stored(WeightPrecision asked, ElementType stored, int columns, double bytesOfNumber)
    {
        using CpuBackend backend = new(new CpuOptions { Threads = 1, Weights = asked, HugePages = false }, new NoSampler());
        MemoryTensor tensor = MemoryTensor.Random(new Random(3), stored, 32, columns);
        int padded = (columns + 63) / 64 * 64; // the widest unit of any layout
        Assert.InRange(backend.WeightBytes(MatrixUse.Layer, tensor), 32 * columns * bytesOfNumber, 32 * padded * bytesOfNumber);
    }

    [Fact]
    public void Q4_keeps_embedding_and_head_in_bytes()
    {
        using CpuBackend backend = new(new CpuOptions { Threads = 1, Weights = WeightPrecision.Q4, HugePages = false }, new NoSampler());
        MemoryTensor tensor = MemoryTensor.Random(new Random(4), ElementType.BF16, 32, 64);
        Assert.Equal(32 * 64 / 32 * 18, backend.WeightBytes(MatrixUse.Layer, tensor));
        foreach (MatrixUse use in new[] { MatrixUse.Embedding, MatrixUse.Head }) Assert.Equal(32 * 64 / 32 * 34, backend.WeightBytes(use, tensor));
    }

    [Fact]
    public void F32_widens_quantized_weights_to_just_the_numbers_they_mean()
    {
        Random random = new(5);
        using CpuBackend backend = new(new CpuOptions { Threads = 1, Weights = WeightPrecision.F32 }, new NoSampler());
        foreach (ElementType type in Enum.GetValues<ElementType>().Where(t => t.IsQuantized()))
        {
            BlockTensor weight = new(random, type, 5, type.BlockColumns());
            Assert.Equal(16 * 4L * weight.Columns, backend.WeightBytes(MatrixUse.Layer, weight));
            float[] input = Samples.Floats(random, weight.Columns);
            Activation from = backend.Fill([input]), to = backend.AllocateActivation(1, 5);
            backend.Project(from, backend.LoadMatrix(MatrixUse.Layer, weight), null, to);
            for (int row = 0; row < 5; row++)
            {
                double expected = Enumerable.Range(0, weight.Columns).Sum(i => weight.Value(row, i) * input[i]);
                Samples.AssertClose(expected, backend.ReadRow(to, 0)[row], weight.Columns, 1e-6, $"{type}, row {row}"); // bytes as input would be off by a hundredth
            }
        }
    }

    private static void CheckBlock(ReadOnlySpan<float> values, ReadOnlySpan<byte> block, ElementType type)
    {
        double scale = (double)BinaryPrimitives.ReadHalfLittleEndian(block), largest = 0;
        foreach (float value in values) largest = Math.Max(largest, Math.Abs(value));
        double steps = type == ElementType.Q8 ? 127 : 8;
        Assert.InRange(Math.Abs(scale), largest / steps * (1 - 1.0 / 2048) - 6e-8, largest / steps * (1 + 1.0 / 2048) + 6e-8); // half's rounding
        for (int i = 0; i < 32; i++)
        {
            // Half a step; the scale's own rounding moves the farthest numbers by up to a 2048th of themselves; Q4's far positive end is cut at 7 steps.
            double cut = type == ElementType.Q4 && values[i] / scale > 7.5 ? Math.Abs(values[i]) - 7.5 * Math.Abs(scale) : 0;
            double bound = 0.5 * Math.Abs(scale) + largest / 2048 + cut + steps * 6e-8;
            Assert.InRange(Math.Abs(PlainBlocks.Number(block, type, i) - values[i]), 0, bound);
        }
    }

    private static unsafe byte[] Convert(float[] values, ElementType type)
    {
        byte[] stored = new byte[type.RowBytes(values.Length)];
        fixed (float* from = values)
        fixed (byte* to = stored) Conversion.FromFloats(from, values.Length, type, to);
        return stored;
    }

    private static float Widen(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    private sealed class NoSampler : Core.Stepping.ISampler
    {
        public void Sample(Span<float> logits, in Core.Stepping.LogitsRow row, ref Core.Stepping.SampleResult result) => result.Token = 0;
    }
}
