using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;

namespace InferenceServer.Cpu.Tests;

/// <summary>A tensor in an array. Values are what the stored numbers mean, after rounding to the type.</summary>
internal sealed class MemoryTensor : HostTensor
{
    private readonly byte[] _stored;

    public MemoryTensor(ElementType type, int rows, int columns, ReadOnlySpan<float> values, string name = "test.weight")
        : base(name, type, [rows, columns])
    {
        _stored = new byte[values.Length * type.Bytes()];
        Values = new float[values.Length];
        for (int i = 0; i < values.Length; i++) Values[i] = Store(values[i], _stored.AsSpan(i * type.Bytes()), type);
    }

    public float[] Values { get; }

    public override ReadOnlySpan<byte> Row(long row) => _stored.AsSpan((int)row * Columns * Type.Bytes(), Columns * Type.Bytes());

    public static MemoryTensor Random(Random random, ElementType type, int rows, int columns, float size = 1f) =>
        new(type, rows, columns, Samples.Floats(random, rows * columns, size));

    private static float Store(float value, Span<byte> target, ElementType type)
    {
        switch (type)
        {
            case ElementType.BF16:
                ushort upper = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
                MemoryMarshal.Write(target, upper);
                return BitConverter.UInt32BitsToSingle((uint)upper << 16);
            case ElementType.F16:
                MemoryMarshal.Write(target, (Half)value);
                return (float)(Half)value;
            default:
                MemoryMarshal.Write(target, value);
                return value;
        }
    }
}
