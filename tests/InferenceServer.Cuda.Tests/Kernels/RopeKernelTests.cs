using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Tests.Plain;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>Head norm, rotation and the store into the paged cache against the plain ones.</summary>
public class RopeKernelTests
{
    private const double Theta = 10_000;
    private const float Epsilon = 1e-6f;
    private const int Blocks = 4;

    /// <param name="Heads">Query heads; KvHeads of keys and of values follow in a row.</param>
    /// <param name="BlockShift">log2 of the tokens a block.</param>
    internal readonly record struct Shape(int Heads, int KvHeads, int HeadDim, int RotaryDim, bool Normalised, int BlockShift);

    [Theory]
    [InlineData(1, 1, 8, 8, false, 0)]
    [InlineData(4, 2, 64, 64, false, 4)]
    [InlineData(3, 1, 40, 40, true, 3)]
    [InlineData(8, 8, 128, 128, true, 4)]
    [InlineData(5, 5, 80, 32, false, 2)]
    [InlineData(2, 1, 256, 256, true, 4)]
    [InlineData(2, 2, 96, 24, true, 5)]
    public void Heads_are_turned_and_stored(int heads, int kvHeads, int headDim, int rotaryDim, bool normalised, int blockShift)
    {
        foreach (ElementType precision in new[] { ElementType.BF16, ElementType.F16 }) Check(new Shape(heads, kvHeads, headDim, rotaryDim, normalised, blockShift), precision);
    }

    internal static void Check(Shape shape, ElementType precision, KernelSource? source = null)
    {
        int[] positions = [0, 1, 37, 255, 0];
        int blockSize = 1 << shape.BlockShift;
        int[] slots = [0, Blocks * blockSize - 1, -1, blockSize, -1]; // the last token is padding of a bucket
        int tokens = positions.Length, columns = (shape.Heads + 2 * shape.KvHeads) * shape.HeadDim, stride = columns + 8, half = shape.RotaryDim / 2;
        Random random = new(shape.HeadDim);
        float[] qkv = Numbers.Rows(random, tokens, columns, stride, precision);
        float[] qGain = Numbers.Rows(random, 1, shape.HeadDim, shape.HeadDim, ElementType.F32), kGain = Numbers.Rows(random, 1, shape.HeadDim, shape.HeadDim, ElementType.F32);
        (float[] cosines, float[] sines) = Tables(256, shape.RotaryDim);
        int cacheElements = Blocks * blockSize * shape.KvHeads * shape.HeadDim;
        using KernelRig rig = new(source);
        RopeParams parameters = new()
        {
            Qkv = rig.Upload<ushort>(KernelRig.Narrow(qkv, precision)),
            Cosines = rig.Upload<float>(cosines),
            Sines = rig.Upload<float>(sines),
            Positions = rig.Upload<int>(positions),
            Slots = rig.Upload<int>(slots),
            KCache = rig.Zeros(cacheElements * 2),
            VCache = rig.Zeros(cacheElements * 2),
            QGain = shape.Normalised ? rig.Upload<float>(qGain) : 0,
            KGain = shape.Normalised ? rig.Upload<float>(kGain) : 0,
            Epsilon = Epsilon,
            Tokens = tokens,
            Heads = shape.Heads,
            KvHeads = shape.KvHeads,
            HeadDim = shape.HeadDim,
            RotaryDim = shape.RotaryDim,
            QkvStride = stride,
            BlockShift = shape.BlockShift,
        };
        new RopeKernel(rig.Library, precision).Launch(rig.Stream, parameters);

        double[] expected = Numbers.Packed(qkv, tokens, columns, stride);
        for (int t = 0; t < tokens; t++)
            for (int h = 0; h < shape.Heads + shape.KvHeads; h++)
            {
                Span<double> head = expected.AsSpan(t * columns + h * shape.HeadDim, shape.HeadDim);
                if (shape.Normalised) PlainNorm.Rms(head, h < shape.Heads ? qGain : kGain, Epsilon).CopyTo(head);
                PlainRope.Rotate(head, shape.RotaryDim, positions[t], Theta);
            }

        ushort[] bits = rig.Download<ushort>(parameters.Qkv, tokens * stride);
        Numbers.AssertClose(expected, KernelRig.Widen(bits, precision), tokens, columns, stride, Numbers.Tolerance(precision), $"{shape} {precision}");
        Assert.Equal(Stored(bits, slots, stride, shape, shape.Heads, cacheElements), rig.Download<ushort>(parameters.KCache, cacheElements));
        Assert.Equal(Stored(bits, slots, stride, shape, shape.Heads + shape.KvHeads, cacheElements), rig.Download<ushort>(parameters.VCache, cacheElements));
    }

    /// <summary>The cache that rows leave: (blocks, kv heads, block size, head size), zero where nothing was stored.</summary>
    private static ushort[] Stored(ushort[] qkv, int[] slots, int stride, Shape shape, int firstHead, int elements)
    {
        ushort[] cache = new ushort[elements];
        for (int t = 0; t < slots.Length; t++)
            for (int h = 0; h < shape.KvHeads && slots[t] >= 0; h++)
            {
                (int block, int offset) = Math.DivRem(slots[t], 1 << shape.BlockShift);
                int row = ((block * shape.KvHeads + h) << shape.BlockShift) + offset;
                qkv.AsSpan(t * stride + (firstHead + h) * shape.HeadDim, shape.HeadDim).CopyTo(cache.AsSpan(row * shape.HeadDim));
            }

        return cache;
    }

    private static (float[] Cosines, float[] Sines) Tables(int positions, int rotaryDim)
    {
        int half = rotaryDim / 2;
        float[] cosines = new float[positions * half], sines = new float[positions * half];
        for (int p = 0; p < positions; p++)
            for (int i = 0; i < half; i++)
            {
                (double sine, double cosine) = Math.SinCos(PlainRope.Angle(p, i, rotaryDim, Theta));
                (cosines[p * half + i], sines[p * half + i]) = ((float)cosine, (float)sine);
            }

        return (cosines, sines);
    }
}
