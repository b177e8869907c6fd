using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.Kernels;

/// <summary>native/norm.cu.</summary>
internal sealed class NormKernel(KernelLibrary library, ElementType precision)
{
    private const uint Threads = 256;

    private readonly CudaFunction _norm = library.Function<NormParams>($"rmsnorm_{KernelNames.Suffix(precision)}");

    public void Launch(CudaStream stream, in NormParams parameters, int rows) =>
        _norm.Launch(stream, new LaunchShape((uint)rows, 1, 1, Threads), parameters);
}
