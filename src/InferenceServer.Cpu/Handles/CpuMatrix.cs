using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Memory;

namespace InferenceServer.Cpu.Handles;

/// <summary>
/// A weight matrix in its own format, rows in groups of 16 interleaved by 32-bit words (see <see cref="Tile"/>).
/// Rows are padded to a multiple of 16 and columns to whole words, both with zeros.
/// </summary>
internal sealed unsafe class CpuMatrix(int rows, int columns, FormatKernels kernels, NativeBuffer buffer) : Matrix(rows, columns)
{
    public FormatKernels Kernels { get; } = kernels;

    public byte* Weights => buffer.Pointer;

    public int Groups => (Rows + Tile.GroupRows - 1) / Tile.GroupRows;

    public nint GroupStride { get; } = (nint)GroupBytes(columns, kernels);

    /// <summary>Bytes from one word of a group to the next: all 16-row layouts share it.</summary>
    public static nint WordStride => Tile.GroupRows * sizeof(uint);

    public static long GroupBytes(int columns, FormatKernels kernels) => (long)kernels.WordsPerRow(columns) * WordStride;
}
