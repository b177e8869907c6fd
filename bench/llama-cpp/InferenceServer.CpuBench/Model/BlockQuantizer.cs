using System.Buffers.Binary;

namespace InferenceServer.CpuBench.Model;

/// <summary>The two simplest block formats of GGUF: 32 numbers share a scale. Rounds each number to the nearest step; searches for no better scale.</summary>
internal static class BlockQuantizer
{
    private const int BlockColumns = 32;

    /// <summary>Q8_0: an F16 scale and 32 signed bytes; the largest magnitude becomes 127.</summary>
    public static void WriteQ8(ReadOnlySpan<float> values, Span<byte> stored)
    {
        for (; values.Length > 0; values = values[BlockColumns..], stored = stored[(2 + BlockColumns)..])
        {
            float scale = MathF.Abs(Extreme(values[..BlockColumns])) / 127, inverse = scale == 0 ? 0 : 1 / scale;
            BinaryPrimitives.WriteHalfLittleEndian(stored, (Half)scale);
            for (int i = 0; i < BlockColumns; i++) stored[2 + i] = (byte)(sbyte)MathF.Round(values[i] * inverse);
        }
    }

    /// <summary>
    /// Q4_0: an F16 scale and 32 steps of 0..15 around 8; byte i holds number i low and number i + 16 high. The number of largest magnitude
    /// becomes step 0, which is -8 scales: the scale carries its sign.
    /// </summary>
    public static void WriteQ4(ReadOnlySpan<float> values, Span<byte> stored)
    {
        const int Half = BlockColumns / 2;
        for (; values.Length > 0; values = values[BlockColumns..], stored = stored[(2 + Half)..])
        {
            float scale = Extreme(values[..BlockColumns]) / -8, inverse = scale == 0 ? 0 : 1 / scale;
            BinaryPrimitives.WriteHalfLittleEndian(stored, (System.Half)scale);
            for (int i = 0; i < Half; i++) stored[2 + i] = (byte)(Step(values[i] * inverse) | Step(values[i + Half] * inverse) << 4);
        }
    }

    private static int Step(float scaled) => Math.Clamp((int)MathF.Floor(scaled + 8.5f), 0, 15);

    /// <summary>The number of largest magnitude, with its sign.</summary>
    private static float Extreme(ReadOnlySpan<float> values)
    {
        float extreme = 0;
        foreach (float value in values) extreme = MathF.Abs(value) > MathF.Abs(extreme) ? value : extreme;
        return extreme;
    }
}
