using InferenceServer.Core.Compute;

namespace InferenceServer.Cuda.Handles;

/// <summary>A weight matrix on the device in the backend's precision, row-major, rows padded with zeros to a multiple of 8 elements.</summary>
internal sealed class CudaMatrix(int rows, int columns, ulong address) : Matrix(rows, columns)
{
    public ulong Address { get; } = address;

    /// <summary>Elements from one row to the next.</summary>
    public int Stride { get; } = CudaActivation.PaddedColumns(columns);

    public static long Bytes(long rows, int columns) => rows * CudaActivation.PaddedColumns(columns) * sizeof(ushort);
}
