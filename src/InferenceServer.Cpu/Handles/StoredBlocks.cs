using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Kernels.Quantized;

namespace InferenceServer.Cpu.Handles;

/// <summary>One stored block of a quantized type to f32: by way of the kernels' own layout, so that there is one reading of each format.</summary>
internal static unsafe class StoredBlocks
{
    private const int LargestGroup = 4096;

    public static void Widen(ReadOnlySpan<byte> block, ElementType type, Span<float> values)
    {
        QuantizedLayout layout = QuantizedLayout.All.First(l => l.Type == type);
        byte* group = stackalloc byte[LargestGroup];
        byte** rows = stackalloc byte*[Tile.GroupRows];
        for (int row = 0; row < Tile.GroupRows; row++) rows[row] = null;
        fixed (byte* stored = block)
        fixed (float* target = values)
        {
            rows[0] = stored;
            layout.Pack(rows, values.Length, group);
            layout.Unpack(group, 0, values.Length, target);
        }
    }
}
