using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Memory;

namespace InferenceServer.Cuda.Tests.Backend;

public sealed class StoredNumbersTests
{
    [Fact]
    public void Bf16_is_the_nearest_number_and_ties_go_to_the_even_one()
    {
        Random random = new(5);
        for (int i = 0; i < 20_000; i++)
        {
            float value = BitConverter.UInt32BitsToSingle((uint)random.NextInt64(uint.MaxValue));
            if (!float.IsFinite(value)) continue;
            ushort low = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16), high = (ushort)(low + 1), chosen = StoredNumbers.ToBf16(value);
            double toLow = Math.Abs((double)value - StoredNumbers.FromBf16(low)), toHigh = Math.Abs((double)value - StoredNumbers.FromBf16(high));
            if (float.IsInfinity(StoredNumbers.FromBf16(high))) continue;
            Assert.Equal(toLow < toHigh || (toLow == toHigh && low % 2 == 0) ? low : high, chosen);
        }
    }

    [Theory]
    [InlineData(ElementType.BF16)]
    [InlineData(ElementType.F16)]
    public void What_is_not_a_number_stays_so(ElementType precision)
    {
        float[] values = [float.NaN, float.PositiveInfinity, -0f, BitConverter.UInt32BitsToSingle(0x7f800001)];
        ushort[] stored = new ushort[4];
        StoredNumbers.Narrow(MemoryMarshal.AsBytes(values.AsSpan()), ElementType.F32, stored, precision);
        float[] back = new float[4];
        StoredNumbers.Widen(MemoryMarshal.AsBytes(stored.AsSpan()), precision, back);
        Assert.Equal([float.NaN, float.PositiveInfinity, -0f, float.NaN], back);
    }

    [Fact]
    public void Equal_types_are_copied_bit_for_bit_and_others_rounded_once()
    {
        ushort[] bits = [0x3f80, 0x7fc1, 0x0001, 0x3eab], copied = new ushort[4], halves = new ushort[4];
        StoredNumbers.Narrow(MemoryMarshal.AsBytes(bits.AsSpan()), ElementType.BF16, copied, ElementType.BF16);
        Assert.Equal(bits, copied);
        StoredNumbers.Narrow(MemoryMarshal.AsBytes(bits.AsSpan()), ElementType.BF16, halves, ElementType.F16);
        Assert.Equal((Half)StoredNumbers.FromBf16(0x3eab), BitConverter.UInt16BitsToHalf(halves[3]));
        Assert.Throws<ArgumentException>(() => StoredNumbers.Narrow(new byte[6], ElementType.BF16, copied, ElementType.BF16));
    }
}
