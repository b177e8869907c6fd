namespace InferenceServer.Cuda.Kernels;

/// <summary>One compiled size of native/gemm.cu.</summary>
/// <param name="Rows">Of x, in a block's tile.</param>
/// <param name="Columns">Of y.</param>
/// <param name="Threads">A block.</param>
/// <param name="Stages">Tiles of x and w in flight.</param>
internal sealed record GemmTile(int Rows, int Columns, int Threads, int Stages)
{
    /// <summary>Elements of k a stage.</summary>
    public const int Depth = 64;

    public uint SharedBytes => (uint)(Stages * (Rows + Columns) * Depth * 2);

    public string Name => $"{Rows}x{Columns}";

    /// <summary>As listed at the end of gemm.cu, by rising rows.</summary>
    public static IReadOnlyList<GemmTile> All { get; } = [new(16, 64, 128, 5), new(32, 64, 128, 5), new(64, 128, 128, 4), new(128, 128, 256, 3)];
}
