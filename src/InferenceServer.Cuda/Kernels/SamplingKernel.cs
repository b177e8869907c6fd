using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.Kernels;

/// <summary>native/sampling.cu.</summary>
internal sealed class SamplingKernel(KernelLibrary library)
{
    private const uint Threads = 1024;

    private readonly CudaFunction _sample = library.Function<SampleParams>("sample");

    public void Launch(CudaStream stream, in SampleParams parameters, int rows) =>
        _sample.Launch(stream, new LaunchShape((uint)rows, 1, 1, Threads), parameters);
}
