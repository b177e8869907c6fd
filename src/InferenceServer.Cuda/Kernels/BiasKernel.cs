using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.Kernels;

/// <summary>native/bias.cu.</summary>
internal sealed class BiasKernel(KernelLibrary library, ElementType precision)
{
    private const int Threads = 256;

    private readonly CudaFunction _bias = library.Function<BiasParams>($"add_bias_{KernelNames.Suffix(precision)}");

    public void Launch(CudaStream stream, in BiasParams parameters) =>
        _bias.Launch(stream, new LaunchShape(KernelNames.Ceiling(parameters.N, Threads), (uint)parameters.Rows, 1, Threads), parameters);
}
