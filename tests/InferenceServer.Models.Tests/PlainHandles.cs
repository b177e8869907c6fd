using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;

namespace InferenceServer.Models.Tests;

/// <summary>Weights and activations of the plain backend: f32 arrays, row-major.</summary>
internal sealed class PlainMatrix(int rows, int columns, float[] values) : Matrix(rows, columns)
{
    public ReadOnlySpan<float> this[int row] => values.AsSpan(row * Columns, Columns);
}

internal sealed class PlainVector(float[] values) : WeightVector(values.Length)
{
    public float[] Values { get; } = values;
}

internal sealed class PlainRope(float[] cosines, float[] sines, int positions, int rotaryDim) : RopeTable(positions, rotaryDim)
{
    public ReadOnlySpan<float> Cosines(int position) => cosines.AsSpan(position * RotaryDim / 2, RotaryDim / 2);

    public ReadOnlySpan<float> Sines(int position) => sines.AsSpan(position * RotaryDim / 2, RotaryDim / 2);
}

internal sealed class PlainActivation(int maxRows, int columns) : Activation(maxRows, columns)
{
    private readonly float[] _values = new float[maxRows * columns];

    public Span<float> this[int row] => _values.AsSpan(row * Columns, Columns);
}

internal sealed class PlainKvCache(KvCacheShape shape) : KvCache(shape)
{
    private readonly float[] _keys = new float[shape.Layers * shape.BlockCount * shape.BlockSize * shape.KvHeads * shape.HeadDim];
    private readonly float[] _values = new float[shape.Layers * shape.BlockCount * shape.BlockSize * shape.KvHeads * shape.HeadDim];

    public Span<float> Key(int layer, int slot, int head) => _keys.AsSpan(Offset(layer, slot, head), Shape.HeadDim);

    public Span<float> Value(int layer, int slot, int head) => _values.AsSpan(Offset(layer, slot, head), Shape.HeadDim);

    private int Offset(int layer, int slot, int head) =>
        ((layer * Shape.BlockCount * Shape.BlockSize + slot) * Shape.KvHeads + head) * Shape.HeadDim;
}

internal static class PlainTensors
{
    /// <summary>All elements as f32.</summary>
    public static float[] Widen(HostTensor tensor)
    {
        float[] all = new float[tensor.Rows * tensor.Columns];
        for (int row = 0; row < tensor.Rows; row++)
        {
            ReadOnlySpan<byte> bytes = tensor.Row(row);
            for (int column = 0; column < tensor.Columns; column++)
                all[row * tensor.Columns + column] = tensor.Type switch
                {
                    ElementType.F32 => MemoryMarshal.Cast<byte, float>(bytes)[column],
                    ElementType.Q8 => (float)MemoryMarshal.Read<Half>(bytes[(column / 32 * 34)..]) * (sbyte)bytes[column / 32 * 34 + 2 + column % 32],
                    ElementType.F16 => (float)MemoryMarshal.Cast<byte, Half>(bytes)[column],
                    ElementType.BF16 => BitConverter.UInt32BitsToSingle((uint)MemoryMarshal.Cast<byte, ushort>(bytes)[column] << 16),
                    _ => throw new NotSupportedException($"the plain backend does not widen {tensor.Type}"),
                };
        }

        return all;
    }
}
