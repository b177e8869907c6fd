using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;

namespace InferenceServer.Microbench.Kernels;

/// <summary>A weight of small normal-sized numbers, one row repeated: kernels do not look at values.</summary>
internal sealed class RandomTensor : HostTensor
{
    private readonly byte[] _row;

    public RandomTensor(ElementType type, int rows, int columns)
        : base("random", type, [rows, columns])
    {
        Random random = new(5);
        float[] values = new float[columns];
        for (int i = 0; i < values.Length; i++) values[i] = (random.NextSingle() - 0.5f) / 16;
        _row = type switch
        {
            ElementType.F32 => MemoryMarshal.AsBytes<float>(values).ToArray(),
            ElementType.BF16 => MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(values, value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16))).ToArray(),
            _ => MemoryMarshal.AsBytes<Half>(Array.ConvertAll(values, value => (Half)value)).ToArray(),
        };
    }

    public override ReadOnlySpan<byte> Row(long row) => _row;
}
