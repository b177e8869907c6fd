using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Memory;

namespace InferenceServer.Cuda.Tests.Backend;

/// <summary>A tensor in an array. Values are what the stored numbers mean, after rounding to the type.</summary>
internal sealed class MemoryTensor : HostTensor
{
    private readonly byte[] _stored;

    public MemoryTensor(ElementType type, int rows, int columns, ReadOnlySpan<float> values, string name = "test.weight")
        : base(name, type, [rows, columns])
    {
        _stored = new byte[values.Length * type.Bytes()];
        if (type == ElementType.F32) MemoryMarshal.AsBytes(values).CopyTo(_stored);
        else StoredNumbers.Narrow(MemoryMarshal.AsBytes(values), ElementType.F32, MemoryMarshal.Cast<byte, ushort>(_stored.AsSpan()), type);
        Values = new float[values.Length];
        StoredNumbers.Widen(_stored, type, Values);
    }

    public float[] Values { get; }

    public override ReadOnlySpan<byte> Row(long row) => _stored.AsSpan((int)row * Columns * Type.Bytes(), Columns * Type.Bytes());

    public static MemoryTensor Random(Random random, ElementType type, int rows, int columns, float size = 1f) =>
        new(type, rows, columns, Floats(random, rows * columns, size));

    public static float[] Floats(Random random, int count, float size = 1f)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (float)(random.NextDouble() * 2 - 1) * size;
        return values;
    }

    /// <summary>Rows of a precision's numbers, so that writing them to an activation changes nothing.</summary>
    public static float[][] Matrix(Random random, ElementType type, int rows, int columns, float size = 1f)
    {
        float[] values = Random(random, type, rows, columns, size).Values;
        return [.. Enumerable.Range(0, rows).Select(r => values[(r * columns)..((r + 1) * columns)])];
    }
}
