using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.Kernels;

/// <summary>native/embedding.cu.</summary>
internal sealed class EmbeddingKernel(KernelLibrary library, ElementType precision)
{
    private const uint Threads = 128;

    private readonly CudaFunction _embed = library.Function<EmbedParams>($"embed_{KernelNames.Suffix(precision)}");

    public void Launch(CudaStream stream, in EmbedParams parameters, int tokens) =>
        _embed.Launch(stream, new LaunchShape((uint)tokens, 1, 1, Threads), parameters);
}
