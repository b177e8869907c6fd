using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace InferenceServer.Engine.Sampling;

/// <summary>Unnormalised probabilities, exp((logit - max) / temperature). Sums are float within a block and double across blocks.</summary>
internal static class Softmax
{
    /// <summary>Vectors (512 floats) a block: short enough that a float sum is good to 1e-6.</summary>
    private const int LanesPerBlock = 64;

    /// <summary>exp of anything lower is taken as 0: its float would be denormal.</summary>
    private const float LowestExponent = -87.3f;

    /// <summary>Writes each token's weight, the likeliest one's being 1, and 0 for those below <paramref name="floor"/>.</summary>
    /// <param name="logits">(vocabulary) No NaN.</param>
    /// <param name="max">The largest logit; finite.</param>
    /// <param name="scale">1 / temperature.</param>
    /// <param name="floor">Min-p (Nguyen et al. 2024): a share of the likeliest token's probability.</param>
    /// <param name="weights">(vocabulary)</param>
    /// <returns>The sum of the weights; at least 1.</returns>
    public static double Weigh(ReadOnlySpan<float> logits, float max, float scale, float floor, Span<float> weights)
    {
        ReadOnlySpan<Vector256<float>> lanes = MemoryMarshal.Cast<float, Vector256<float>>(logits);
        Span<Vector256<float>> written = MemoryMarshal.Cast<float, Vector256<float>>(weights)[..lanes.Length];
        Vector256<float> maxes = Vector256.Create(max), scales = Vector256.Create(scale), floors = Vector256.Create(floor);
        double total = 0;
        for (int block = 0; block < lanes.Length; block += LanesPerBlock)
        {
            int end = Math.Min(block + LanesPerBlock, lanes.Length);
            Vector256<float> sum = Vector256<float>.Zero;
            for (int i = block; i < end; i++)
            {
                Vector256<float> weight = Exp((lanes[i] - maxes) * scales);
                weight &= Vector256.GreaterThanOrEqual(weight, floors);
                written[i] = weight;
                sum += weight;
            }

            total += Lanes.Sum(sum);
        }

        for (int i = lanes.Length * Vector256<float>.Count; i < logits.Length; i++)
        {
            float weight = Exp(Vector256.Create((logits[i] - max) * scale)).ToScalar();
            weights[i] = weight >= floor ? weight : 0;
            total += weights[i];
        }

        return total;
    }

    /// <summary>The sum of exp(logit - max).</summary>
    public static double SumExp(ReadOnlySpan<float> logits, float max)
    {
        ReadOnlySpan<Vector256<float>> lanes = MemoryMarshal.Cast<float, Vector256<float>>(logits);
        Vector256<float> maxes = Vector256.Create(max);
        double total = 0;
        for (int block = 0; block < lanes.Length; block += LanesPerBlock)
        {
            Vector256<float> sum = Vector256<float>.Zero;
            foreach (Vector256<float> lane in lanes[block..Math.Min(block + LanesPerBlock, lanes.Length)]) sum += Exp(lane - maxes);
            total += Lanes.Sum(sum);
        }

        for (int i = lanes.Length * Vector256<float>.Count; i < logits.Length; i++) total += Exp(Vector256.Create(logits[i] - max)).ToScalar();
        return total;
    }

    /// <summary>
    /// exp of values up to 0, to 2 units in the last place; exp(0) is 1. Cephes' expf (S. Moshier): split off a power of two, then a polynomial.
    /// Every multiply-add is fused by definition, so that all machines agree on the last bit.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x)
    {
        // Adding 1.5 * 2^23 leaves the rounded quotient in the low bits, where a shift makes it an exponent.
        Vector256<float> rounder = Vector256.Create(12582912f);
        Vector256<float> shifted = Vector256.FusedMultiplyAdd(x, Vector256.Create(1.44269504f), rounder);
        Vector256<float> power = shifted - rounder;
        Vector256<float> rest = Vector256.FusedMultiplyAdd(power, Vector256.Create(-0.693359375f), x);
        rest = Vector256.FusedMultiplyAdd(power, Vector256.Create(2.12194440e-4f), rest);
        Vector256<float> value = Vector256.FusedMultiplyAdd(Vector256.Create(1.9875691500e-4f), rest, Vector256.Create(1.3981999507e-3f));
        value = Vector256.FusedMultiplyAdd(value, rest, Vector256.Create(8.3334519073e-3f));
        value = Vector256.FusedMultiplyAdd(value, rest, Vector256.Create(4.1665795894e-2f));
        value = Vector256.FusedMultiplyAdd(value, rest, Vector256.Create(1.6666665459e-1f));
        value = Vector256.FusedMultiplyAdd(value, rest, Vector256.Create(5.0000001201e-1f));
        value = Vector256.FusedMultiplyAdd(value, rest * rest, rest + Vector256<float>.One);
        value = (value.AsInt32() + Vector256.ShiftLeft(shifted.AsInt32(), 23)).AsSingle();
        return value & Vector256.GreaterThanOrEqual(x, Vector256.Create(LowestExponent));
    }
}
