using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace InferenceServer.Engine.Sampling;

/// <summary>
/// The seeded choice: inverse of the cumulative distribution, tokens in ascending order of id. u has 24 bits, so the share of a token
/// is met to 6e-8.
/// </summary>
internal static class InverseCdf
{
    /// <summary>Vectors (512 floats) a block: the first pass sums blocks, the second walks one of them token by token.</summary>
    private const int LanesPerBlock = 64;

    private const int BlockSize = LanesPerBlock * 8;

    /// <summary>The first token at which the running sum exceeds u * total; -1 when all weights are 0.</summary>
    /// <param name="weights">(vocabulary) 0 = impossible.</param>
    /// <param name="u">[0, 1)</param>
    /// <param name="scratch">Of this thread.</param>
    public static int Choose(ReadOnlySpan<float> weights, float u, SamplerScratch scratch)
    {
        Span<double> sums = scratch.BlockSums((weights.Length + BlockSize - 1) / BlockSize);
        double total = SumBlocks(weights, sums);
        double target = u * total;
        double passed = 0;
        int block = 0;
        for (; block < sums.Length - 1 && passed + sums[block] <= target; block++) passed += sums[block];

        // The walk adds in another order than the block sum did; where it falls short by rounding, the last possible token met is meant.
        int token = -1;
        for (int i = block * BlockSize; i < weights.Length; i++)
        {
            if (weights[i] <= 0) continue;
            if (token >= 0 && i >= (block + 1) * BlockSize) break;
            token = i;
            passed += weights[i];
            if (passed > target) break;
        }

        return token >= 0 ? token : weights.LastIndexOfAnyExcept(0f);
    }

    private static double SumBlocks(ReadOnlySpan<float> weights, Span<double> sums)
    {
        double total = 0;
        for (int block = 0; block < sums.Length; block++)
        {
            ReadOnlySpan<float> part = weights.Slice(block * BlockSize, Math.Min(BlockSize, weights.Length - (block * BlockSize)));
            ReadOnlySpan<Vector256<float>> lanes = MemoryMarshal.Cast<float, Vector256<float>>(part);
            Vector256<float> sum = Vector256<float>.Zero;
            foreach (Vector256<float> lane in lanes) sum += lane;
            sums[block] = Lanes.Sum(sum);
            for (int i = lanes.Length * Vector256<float>.Count; i < part.Length; i++) sums[block] += part[i];
            total += sums[block];
        }

        return total;
    }
}
