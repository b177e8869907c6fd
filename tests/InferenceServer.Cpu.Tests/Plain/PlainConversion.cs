using System.Buffers.Binary;
using InferenceServer.Core.Compute;

namespace InferenceServer.Cpu.Tests.Plain;

/// <summary>What vectors do at load, a number at a time.</summary>
internal static class PlainConversion
{
    public static float Widen(ushort bits, ElementType type) =>
        type == ElementType.BF16 ? BitConverter.UInt32BitsToSingle((uint)bits << 16) : (float)BitConverter.UInt16BitsToHalf(bits);

    public static ushort ToBf16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)0x7FC0 : (ushort)(bits + 0x7FFF + (bits >> 16 & 1) >> 16);
    }

    /// <param name="values">(32)</param>
    public static byte[] ToQ8(ReadOnlySpan<float> values)
    {
        byte[] block = new byte[34];
        float largest = 0;
        foreach (float value in values) largest = MathF.Max(largest, MathF.Abs(value));
        float scale = largest / 127f, inverse = scale == 0 ? 0 : 1 / scale;
        BinaryPrimitives.WriteHalfLittleEndian(block, (Half)scale);
        for (int i = 0; i < 32; i++) block[2 + i] = (byte)(int)MathF.Round(values[i] * inverse, MidpointRounding.AwayFromZero);
        return block;
    }

    /// <param name="values">(32)</param>
    public static byte[] ToQ4(ReadOnlySpan<float> values)
    {
        byte[] block = new byte[18];
        float farthest = 0;
        foreach (float value in values) farthest = MathF.Abs(value) > MathF.Abs(farthest) || float.IsNaN(value) ? value : farthest;
        float scale = farthest / -8, inverse = scale == 0 ? 0 : 1 / scale;
        BinaryPrimitives.WriteHalfLittleEndian(block, (Half)scale);
        for (int i = 0; i < 16; i++) block[2 + i] = (byte)(Number(values[i]) | Number(values[16 + i]) << 4);
        return block;

        int Number(float value) => Math.Min(15, (int)(value * inverse + 8.5f));
    }
}
