using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.Kernels;

/// <summary>native/attention_prefill.cu for one head size.</summary>
internal sealed class AttentionPrefillKernel
{
    /// <summary>Query rows of an item.</summary>
    public const int Rows = 64;

    private const uint Threads = 128;

    private readonly CudaFunction _attend;
    private readonly uint _sharedBytes;

    /// <exception cref="ArgumentOutOfRangeException">Not a head size of <see cref="HeadSizes"/>.</exception>
    public AttentionPrefillKernel(KernelLibrary library, ElementType precision, int headDim)
    {
        int compiled = HeadSizes.Compiled(headDim), keys = compiled == 256 ? 32 : 64;
        _attend = library.Function<PrefillParams>($"attention_prefill_{KernelNames.Suffix(precision)}_hd{compiled}");
        _sharedBytes = (uint)(2 * 2 * keys * compiled * sizeof(ushort)); // two stages of keys and values
    }

    public void Launch(CudaStream stream, in PrefillParams parameters, int items) =>
        _attend.Launch(stream, new LaunchShape((uint)parameters.Heads, (uint)items, 1, Threads, _sharedBytes), parameters);
}
