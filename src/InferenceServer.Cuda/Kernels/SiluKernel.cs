using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.Kernels;

/// <summary>native/silu.cu.</summary>
internal sealed class SiluKernel(KernelLibrary library, ElementType precision)
{
    private const int Threads = 128, Columns = 8 * Threads;

    private readonly CudaFunction _silu = library.Function<SiluParams>($"silu_mul_{KernelNames.Suffix(precision)}");

    public void Launch(CudaStream stream, in SiluParams parameters) =>
        _silu.Launch(stream, new LaunchShape(KernelNames.Ceiling(parameters.YStride, Columns), (uint)parameters.Rows, 1, Threads), parameters);
}
