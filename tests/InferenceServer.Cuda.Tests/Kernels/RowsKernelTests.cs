using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Kernels;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>Rows and blocks, moved byte by byte.</summary>
public class RowsKernelTests
{
    [Theory]
    [InlineData(16)]
    [InlineData(144)]
    [InlineData(4112)]
    public void Chosen_rows_are_copied(int bytes) => CheckSelect(bytes);

    [Theory]
    [InlineData(16)]
    [InlineData(4112)]
    public void Blocks_are_copied_in_every_plane(int blockBytes) => CheckCopy(blockBytes);

    internal static void CheckSelect(int bytes, KernelSource? source = null)
    {
        int[] tokens = [4, 0, 4, 2];
        int inStride = bytes + 32, outStride = bytes + 16;
        byte[] rows = new byte[5 * inStride - 32]; // the last row ends where the allocation ends
        new Random(bytes).NextBytes(rows);
        using KernelRig rig = new(source);
        ulong result = rig.Zeros(tokens.Length * outStride);
        new RowsKernel(rig.Library).Select(rig.Stream, new SelectParams
        {
            In = rig.Upload<byte>(rows),
            Out = result,
            Tokens = rig.Upload<int>(tokens),
            Bytes = bytes,
            InStride = inStride,
            OutStride = outStride,
        }, tokens.Length);
        byte[] expected = new byte[tokens.Length * outStride];
        for (int r = 0; r < tokens.Length; r++) rows.AsSpan(tokens[r] * inStride, bytes).CopyTo(expected.AsSpan(r * outStride));
        Assert.Equal(expected, rig.Download<byte>(result, expected.Length));
    }

    internal static void CheckCopy(int blockBytes, KernelSource? source = null)
    {
        const int Blocks = 6, Planes = 4;
        int[] pairs = [1, 3, 5, 0, 1, 4];
        byte[] cache = new byte[Planes * Blocks * blockBytes];
        new Random(blockBytes).NextBytes(cache);
        using KernelRig rig = new(source);
        ulong address = rig.Upload<byte>(cache);
        CopyParams parameters = new() { Cache = address, Pairs = rig.Upload<int>(pairs), PlaneBytes = (ulong)(Blocks * blockBytes), BlockBytes = (ulong)blockBytes };
        new RowsKernel(rig.Library).CopyBlocks(rig.Stream, parameters, pairs.Length / 2, Planes);
        for (int plane = 0; plane < Planes; plane++)
            for (int i = 0; i < pairs.Length; i += 2)
                cache.AsSpan((plane * Blocks + pairs[i]) * blockBytes, blockBytes).CopyTo(cache.AsSpan((plane * Blocks + pairs[i + 1]) * blockBytes));
        Assert.Equal(cache, rig.Download<byte>(address, cache.Length));
    }
}
