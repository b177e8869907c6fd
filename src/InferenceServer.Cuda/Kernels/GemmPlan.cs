namespace InferenceServer.Cuda.Kernels;

/// <summary>How a matrix product is cut: the tile, and in how many pieces k is summed.</summary>
/// <param name="Tile">Index into <see cref="GemmTile.All"/>.</param>
/// <param name="Splits">Pieces of k; more than one needs the workspace.</param>
internal readonly record struct GemmPlan(int Tile, int Splits)
{
    private const int MaxSplits = 8;      // each costs a write and a read of y in f32
    private const int MinStepsASplit = 8; // fewer do not hide the start of the pipeline

    /// <summary>The smallest tile that holds m, and pieces of k until about two blocks an SM are busy. Depends on the shape alone.</summary>
    public static GemmPlan Choose(int m, int n, int k, int smCount)
    {
        int tile = 0;
        while (tile < GemmTile.All.Count - 1 && GemmTile.All[tile].Rows < m) tile++;
        uint blocks = Blocks(tile, m, n);
        int steps = (k + GemmTile.Depth - 1) / GemmTile.Depth;
        int wanted = (int)Math.Clamp(2u * (uint)smCount / blocks, 1, MaxSplits);
        return new GemmPlan(tile, Math.Max(1, Math.Min(wanted, steps / MinStepsASplit)));
    }

    public uint Blocks(int m, int n) => Blocks(Tile, m, n);

    /// <summary>Bytes of partial sums, 0 without a split.</summary>
    public long WorkspaceBytes(int m, int n) => Splits == 1 ? 0 : (long)Splits * m * ((n + 7) & ~7) * sizeof(float);

    private static uint Blocks(int tile, int m, int n) =>
        KernelNames.Ceiling(m, GemmTile.All[tile].Rows) * KernelNames.Ceiling(n, GemmTile.All[tile].Columns);
}
