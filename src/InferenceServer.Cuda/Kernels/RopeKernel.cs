using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.Kernels;

/// <summary>native/rope.cu.</summary>
internal sealed class RopeKernel(KernelLibrary library, ElementType precision)
{
    private const int Threads = 128, Heads = Threads / 32; // a warp a head

    private readonly CudaFunction _rope = library.Function<RopeParams>($"rope_kv_{KernelNames.Suffix(precision)}");

    public void Launch(CudaStream stream, in RopeParams parameters) =>
        _rope.Launch(stream, new LaunchShape((uint)parameters.Tokens, KernelNames.Ceiling(parameters.Heads + 2 * parameters.KvHeads, Heads), 1, Threads), parameters);
}
