using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using InferenceServer.Core.Compute;

namespace InferenceServer.Cpu.Handles;

/// <summary>Stored numbers to f32, by vectors of eight where they are no blocks: for vectors and for conversions at load, not for products.</summary>
internal static class HostValues
{
    private const int Lanes = 8;

    public static void Widen(ReadOnlySpan<byte> stored, ElementType type, Span<float> values)
    {
        if (stored.Length != type.RowBytes(values.Length))
            throw new ArgumentException($"A row of {values.Length} {type} values takes {type.RowBytes(values.Length)} bytes; the tensor gave {stored.Length}.");
        if (type.IsQuantized())
        {
            for (int i = 0; i < values.Length; i += type.BlockColumns(), stored = stored[type.BlockBytes()..])
                StoredBlocks.Widen(stored, type, values.Slice(i, type.BlockColumns()));
            return;
        }

        switch (type)
        {
            case ElementType.F32:
                MemoryMarshal.Cast<byte, float>(stored).CopyTo(values);
                break;
            case ElementType.BF16:
                WidenBf16(MemoryMarshal.Cast<byte, ushort>(stored), values);
                break;
            default:
                WidenHalf(MemoryMarshal.Cast<byte, ushort>(stored), values);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WidenBf16(ReadOnlySpan<ushort> stored, Span<float> values)
    {
        int i = 0;
        for (; i <= stored.Length - 2 * Lanes; i += 2 * Lanes)
        {
            (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.Create(stored[i..]));
            (low << 16).AsSingle().CopyTo(values[i..]);
            (high << 16).AsSingle().CopyTo(values[(i + Lanes)..]);
        }

        for (; i < stored.Length; i++) values[i] = BitConverter.UInt32BitsToSingle((uint)stored[i] << 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WidenHalf(ReadOnlySpan<ushort> stored, Span<float> values)
    {
        int i = 0;
        for (; i <= stored.Length - 2 * Lanes; i += 2 * Lanes)
        {
            (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.Create(stored[i..]));
            Float(low).CopyTo(values[i..]);
            Float(high).CopyTo(values[(i + Lanes)..]);
        }

        for (; i < stored.Length; i++) values[i] = (float)BitConverter.UInt16BitsToHalf(stored[i]);
    }

    /// <summary>
    /// Halves in the low bits to floats. Exponent and fraction moved to a float's places are 2^-112 times the number, subnormal ones too, so that
    /// one multiplication, which is exact, puts them right; infinities and NaN get the exponent that means them, NaN its quiet bit.
    /// </summary>
    private static Vector256<float> Float(Vector256<uint> half)
    {
        Vector256<uint> magnitude = (half & Vector256.Create(0x7FFFu)) << 13, sign = (half & Vector256.Create(0x8000u)) << 16;
        Vector256<uint> number = (magnitude.AsSingle() * BitConverter.UInt32BitsToSingle(239u << 23)).AsUInt32(); // 2^112
        Vector256<uint> isNoNumber = Vector256.GreaterThan(magnitude, Vector256.Create((0x7C00u << 13) - 1));
        Vector256<uint> isNaN = Vector256.GreaterThan(magnitude, Vector256.Create(0x7C00u << 13));
        number |= (isNoNumber & Vector256.Create(0x7F800000u)) | (isNaN & Vector256.Create(0x00400000u));
        return (number | sign).AsSingle();
    }
}
