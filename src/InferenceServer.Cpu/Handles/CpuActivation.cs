using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Memory;

namespace InferenceServer.Cpu.Handles;

/// <summary>
/// (MaxRows, Columns) floats; rows start at multiples of 16 floats, so kernels write whole groups of columns. A cache line lies between rows: with
/// strides of a power of two all tokens would share a few cache sets.
/// </summary>
internal sealed unsafe class CpuActivation(int maxRows, int columns, NativeBuffer buffer) : Activation(maxRows, columns)
{
    /// <summary>Floats from one row to the next.</summary>
    public int Stride { get; } = RowFloats(columns);

    public float* Values => buffer.Floats;

    public static int PaddedColumns(int columns) => checked(columns + Tile.GroupRows - 1) / Tile.GroupRows * Tile.GroupRows;

    public static int RowFloats(int columns) => PaddedColumns(columns) + Tile.GroupRows;

    public float* Row(int row) => buffer.Floats + (long)row * Stride;
}
