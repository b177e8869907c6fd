using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;

namespace InferenceServer.Cuda.Memory;

/// <summary>Stored numbers to what the device wants: its 16-bit precision for matrices, f32 for vectors. Rounds to nearest, ties to even.</summary>
internal static class StoredNumbers
{
    /// <summary>One row in the device's precision; equal types are copied bit for bit.</summary>
    public static void Narrow(ReadOnlySpan<byte> stored, ElementType type, Span<ushort> values, ElementType precision)
    {
        Check(stored, type, values.Length);
        if (type == precision)
        {
            MemoryMarshal.Cast<byte, ushort>(stored).CopyTo(values);
            return;
        }

        if (precision == ElementType.BF16)
            for (int i = 0; i < values.Length; i++) values[i] = ToBf16(One(stored, type, i));
        else
            for (int i = 0; i < values.Length; i++) values[i] = BitConverter.HalfToUInt16Bits((Half)One(stored, type, i));
    }

    public static void Widen(ReadOnlySpan<byte> stored, ElementType type, Span<float> values)
    {
        Check(stored, type, values.Length);
        for (int i = 0; i < values.Length; i++) values[i] = One(stored, type, i);
    }

    public static ushort ToBf16(float value)
    {
        if (float.IsNaN(value)) return 0x7fff; // rounding could turn a NaN into an infinity
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }

    public static float FromBf16(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    private static float One(ReadOnlySpan<byte> stored, ElementType type, int index) => type switch
    {
        ElementType.F32 => MemoryMarshal.Cast<byte, float>(stored)[index],
        ElementType.BF16 => FromBf16(MemoryMarshal.Cast<byte, ushort>(stored)[index]),
        ElementType.F16 => (float)MemoryMarshal.Cast<byte, Half>(stored)[index],
        _ => throw new NotSupportedException($"The CUDA backend reads F32, F16 and BF16 values, not {type}."),
    };

    private static void Check(ReadOnlySpan<byte> stored, ElementType type, int count)
    {
        if (stored.Length != count * type.Bytes())
            throw new ArgumentException($"A row of {count} {type} values takes {count * type.Bytes()} bytes; the tensor gave {stored.Length}.");
    }
}
