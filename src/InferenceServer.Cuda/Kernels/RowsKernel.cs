using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.Kernels;

/// <summary>native/rows.cu.</summary>
internal sealed class RowsKernel(KernelLibrary library)
{
    private const uint Threads = 128;

    private readonly CudaFunction _select = library.Function<SelectParams>("select_rows");
    private readonly CudaFunction _copy = library.Function<CopyParams>("copy_blocks");

    public void Select(CudaStream stream, in SelectParams parameters, int rows) =>
        _select.Launch(stream, new LaunchShape((uint)rows, 1, 1, Threads), parameters);

    /// <param name="planes">Two a layer: keys and values.</param>
    public void CopyBlocks(CudaStream stream, in CopyParams parameters, int copies, int planes) =>
        _copy.Launch(stream, new LaunchShape((uint)copies, (uint)planes, 1, Threads), parameters);
}
