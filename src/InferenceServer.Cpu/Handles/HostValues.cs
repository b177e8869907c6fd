using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;

namespace InferenceServer.Cpu.Handles;

/// <summary>Stored numbers to f32, plainly: for vectors and for conversions at load, not for products.</summary>
internal static class HostValues
{
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

        for (int i = 0; i < values.Length; i++) values[i] = One(stored[(i * type.Bytes())..], type);
    }

    private static float One(ReadOnlySpan<byte> stored, ElementType type) => type switch
    {
        ElementType.F32 => MemoryMarshal.Read<float>(stored),
        ElementType.BF16 => BitConverter.UInt32BitsToSingle((uint)MemoryMarshal.Read<ushort>(stored) << 16),
        _ => (float)MemoryMarshal.Read<Half>(stored),
    };
}
