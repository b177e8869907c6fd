using InferenceServer.Core.Compute;

namespace InferenceServer.Cuda.Handles;

/// <summary>(MaxRows, Columns) on the device: F32 for residual stream and logits, the backend's precision between ops. Rows start at multiples of 8 elements.</summary>
internal sealed class CudaActivation(int maxRows, int columns, ActivationUse use, ulong address) : Activation(maxRows, columns)
{
    public ulong Address { get; } = address;

    public ActivationUse Use { get; } = use;

    /// <summary>Elements from one row to the next.</summary>
    public int Stride { get; } = PaddedColumns(columns);

    public bool IsF32 => Use != ActivationUse.Hidden;

    public int ElementBytes => BytesOf(Use);

    /// <summary>Bytes from one row to the next.</summary>
    public int RowBytes => Stride * ElementBytes;

    /// <summary>Kernels read 16 bytes at a time: 8 narrow elements.</summary>
    public static int PaddedColumns(int columns) => checked(columns + 7) / 8 * 8;

    public static long Bytes(int rows, int columns, ActivationUse use) => (long)rows * PaddedColumns(columns) * BytesOf(use);

    public override string ToString() => $"({MaxRows}, {Columns}) {(IsF32 ? "f32" : "narrow")}";

    private static int BytesOf(ActivationUse use) => use == ActivationUse.Hidden ? sizeof(ushort) : sizeof(float);
}
