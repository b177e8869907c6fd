using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.Kernels;

/// <summary>native/attention_decode.cu for one head size and group.</summary>
internal sealed class AttentionDecodeKernel
{
    /// <summary>Query heads that one block takes of a group.</summary>
    private const int MaxHeadsABlock = 8;

    private const uint Threads = 128;

    private readonly CudaFunction _attend;
    private readonly uint _passes;

    /// <param name="group">Query heads that share a key head.</param>
    /// <exception cref="ArgumentOutOfRangeException">Not a head size of <see cref="HeadSizes"/>.</exception>
    public AttentionDecodeKernel(KernelLibrary library, ElementType precision, int headDim, int group)
    {
        int heads = 1;
        while (heads < group && heads < MaxHeadsABlock) heads *= 2;
        _attend = library.Function<DecodeParams>($"attention_decode_{KernelNames.Suffix(precision)}_hd{HeadSizes.Compiled(headDim)}_g{heads}");
        _passes = KernelNames.Ceiling(group, heads);
    }

    /// <param name="walkers">Blocks a key head, which share the items; of a graph fixed, whatever the items of a step.</param>
    public void Launch(CudaStream stream, in DecodeParams parameters, int walkers) =>
        _attend.Launch(stream, new LaunchShape((uint)parameters.KvHeads, (uint)walkers, _passes, Threads), parameters);
}
