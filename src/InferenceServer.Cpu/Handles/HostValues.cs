using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;

namespace InferenceServer.Cpu.Handles;

/// <summary>Stored numbers to f32, one at a time: for vectors, not for matrices.</summary>
internal static class HostValues
{
    public static void Widen(ReadOnlySpan<byte> stored, ElementType type, Span<float> values)
    {
        if (stored.Length != values.Length * type.Bytes())
            throw new ArgumentException($"A row of {values.Length} {type} values takes {values.Length * type.Bytes()} bytes; the tensor gave {stored.Length}.");
        for (int i = 0; i < values.Length; i++) values[i] = One(stored[(i * type.Bytes())..], type);
    }

    private static float One(ReadOnlySpan<byte> stored, ElementType type) => type switch
    {
        ElementType.F32 => MemoryMarshal.Read<float>(stored),
        ElementType.BF16 => BitConverter.UInt32BitsToSingle((uint)MemoryMarshal.Read<ushort>(stored) << 16),
        ElementType.F16 => (float)MemoryMarshal.Read<Half>(stored),
        _ => throw new NotSupportedException($"The CPU backend reads F32, F16 and BF16 values, not {type}."),
    };
}
