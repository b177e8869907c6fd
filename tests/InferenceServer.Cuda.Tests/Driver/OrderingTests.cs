using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Tests.Kernels;

namespace InferenceServer.Cuda.Tests.Driver;

/// <summary>
/// Bugs of order and lifetime, planted on the host's side: the stand-in runs work late and in any legal order, so each must show for some seed,
/// and its mended twin for none.
/// </summary>
public sealed unsafe class OrderingTests
{
    private const int Count = 64, Bytes = Count * 4;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_missing_event_between_two_streams_shows(bool waits) => Assert.Equal(!waits, Shows(rig =>
    {
        using CudaStream other = new(rig.Stream.Context);
        using CudaEvent copied = new(rig.Stream.Context);
        using PinnedBuffer pinned = Filled(rig, 7);
        ulong buffer = rig.Zeros(Bytes), target = rig.Zeros(Bytes);
        rig.Stream.Synchronize();
        other.CopyToDevice(buffer, pinned, 0, Bytes);
        copied.Record(other);
        if (waits) rig.Stream.Wait(copied);
        rig.Stream.Copy(target, buffer, Bytes);
        bool wrong = rig.Download<int>(target, Count).Any(v => v != 7);
        other.Synchronize();
        return wrong;
    }));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_pinned_buffer_refilled_too_early_shows(bool waits) => Assert.Equal(!waits, Shows(rig =>
    {
        using PinnedBuffer pinned = Filled(rig, 1);
        ulong buffer = rig.Zeros(Bytes);
        rig.Stream.CopyToDevice(buffer, pinned, 0, Bytes);
        if (waits) rig.Stream.Synchronize();
        new Span<int>(pinned.Pointer, Count).Fill(2);
        return rig.Download<int>(buffer, Count).Any(v => v != 1);
    }));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Memory_used_after_it_was_freed_shows(bool keeps) => Assert.Equal(!keeps, Shows(rig =>
    {
        ulong gain = rig.Upload<float>(new float[8]), residual = rig.Upload<float>(new float[8]), found = rig.Allocate(16);
        if (!keeps) Assert.Equal(CudaError.Success, rig.Stream.Context.Api.MemFree(gain));
        new NormKernel(rig.Library, ElementType.BF16).Launch(
            rig.Stream, new NormParams { Residual = residual, Gain = gain, Out = found, Columns = 8, ResidualStride = 8, OutStride = 8, Epsilon = 1 }, 1);
        try
        {
            rig.Download<ushort>(found, 8);
            return false;
        }
        catch (KernelFaultException fault)
        {
            Assert.Contains("rmsnorm_bf16", fault.Message, StringComparison.Ordinal);
            return true;
        }
    }));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_graph_whose_input_was_not_refreshed_shows(bool refreshes) => Assert.Equal(!refreshes, Shows(rig =>
    {
        using PinnedBuffer pinned = Filled(rig, 1);
        ulong input = rig.Zeros(Bytes), output = rig.Zeros(Bytes);
        rig.Stream.CopyToDevice(input, pinned, 0, Bytes);
        using CudaGraph graph = CudaGraph.Capture(rig.Stream, () => rig.Stream.Copy(output, input, Bytes));
        graph.Launch(rig.Stream);
        rig.Stream.Synchronize();
        new Span<int>(pinned.Pointer, Count).Fill(2);
        if (refreshes) rig.Stream.CopyToDevice(input, pinned, 0, Bytes);
        graph.Launch(rig.Stream);
        return rig.Download<int>(output, Count).Any(v => v != 2);
    }));

    [Fact]
    public void Waiting_while_a_stream_is_captured_is_refused()
    {
        using KernelRig rig = new();
        CudaException refused = Assert.Throws<CudaException>(() => CudaGraph.Capture(rig.Stream, rig.Stream.Synchronize));
        Assert.Equal(CudaError.StreamCaptureUnsupported, refused.Error);
        rig.Stream.Synchronize(); // as before the capture
    }

    private static bool Shows(Func<KernelRig, bool> isWrong)
    {
        for (int seed = 1; seed <= 8; seed++)
        {
            using KernelRig rig = new(seed: seed);
            if (isWrong(rig)) return true;
        }

        return false;
    }

    private static PinnedBuffer Filled(KernelRig rig, int value)
    {
        PinnedBuffer pinned = new(rig.Stream.Context, Bytes, "a test");
        new Span<int>(pinned.Pointer, Count).Fill(value);
        return pinned;
    }
}
