using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.Kernels;

/// <summary>native/gemm.cu: our own matrix product for any shape, where no library does it.</summary>
internal sealed class GemmKernel
{
    private readonly CudaFunction[] _tiles; // by GemmTile.All

    public GemmKernel(KernelLibrary library, ElementType precision)
    {
        string suffix = KernelNames.Suffix(precision);
        _tiles = [.. GemmTile.All.Select(tile => library.Function<LinearParams>($"gemm_{suffix}_{tile.Name}"))];
    }

    /// <param name="plan">Whose Splits the parameters carry, with a workspace and zeroed counters if it is more than one.</param>
    public void Launch(CudaStream stream, in LinearParams parameters, GemmPlan plan)
    {
        GemmTile tile = GemmTile.All[plan.Tile];
        LaunchShape shape = new(
            KernelNames.Ceiling(parameters.M, tile.Rows), KernelNames.Ceiling(parameters.N, tile.Columns), (uint)parameters.Splits, (uint)tile.Threads, tile.SharedBytes);
        _tiles[plan.Tile].Launch(stream, shape, parameters);
    }
}
