using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// e^x for eight floats: within 2 units in the last place over the whole range, 0 below -104, infinite above 89, NaN for NaN.
/// Cephes' expf (S. Moshier): x = n ln 2 + r, a polynomial in r, and 2^n in two factors so that subnormal results are right too.
/// </summary>
internal static class Exponential
{
    private const float Lowest = -104f, Highest = 89f;          // beyond both, the float result no longer changes
    private const float Log2E = 1.44269504088896341f;
    private const float Ln2High = 0.693359375f, Ln2Low = -2.12194440e-4f;
    private const float RoundingBias = 12582912f;               // 1.5 * 2^23: adding it leaves the nearest integer in the low bits

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x)
    {
        // Comparisons rather than Min and Max: they are false for NaN, which so stays what it is.
        x = Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256.Create(Lowest)), Vector256.Create(Lowest), x);
        x = Vector256.ConditionalSelect(Vector256.GreaterThan(x, Vector256.Create(Highest)), Vector256.Create(Highest), x);
        Vector256<float> biased = Vector256.MultiplyAddEstimate(x, Vector256.Create(Log2E), Vector256.Create(RoundingBias));
        Vector256<int> n = biased.AsInt32() - Vector256.Create(RoundingBias).AsInt32();
        Vector256<float> whole = biased - Vector256.Create(RoundingBias);
        Vector256<float> r = Vector256.MultiplyAddEstimate(whole, Vector256.Create(-Ln2High), x);
        r = Vector256.MultiplyAddEstimate(whole, Vector256.Create(-Ln2Low), r);
        Vector256<float> p = Vector256.Create(1.9875691500e-4f);
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(1.3981999507e-3f));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(8.3334519073e-3f));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(4.1665795894e-2f));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(1.6666665459e-1f));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(5.0000001201e-1f));
        p = Vector256.MultiplyAddEstimate(p, r * r, r) + Vector256<float>.One;
        Vector256<int> half = n >> 1;
        return p * PowerOfTwo(half) * PowerOfTwo(n - half);
    }

    /// <summary>
    /// 2^x for x up to 0, exactly 1 at 0, and 0 below -125: what a softmax needs, with about half the work of <see cref="Exp"/>. NaN stays NaN.
    /// Cephes' exp2f (S. Moshier): the nearest whole number goes into the exponent, a polynomial does the rest.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> PowerOfTwoBelowOne(Vector256<float> x)
    {
        Vector256<float> biased = x + Vector256.Create(RoundingBias);
        Vector256<float> r = x - (biased - Vector256.Create(RoundingBias));
        Vector256<float> p = Vector256.Create(1.535336188319500e-4f);
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(1.339887440266574e-3f));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(9.618437357674640e-3f));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(5.550332471162809e-2f));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(2.402264791363012e-1f));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(6.931472028550421e-1f));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256<float>.One);
        Vector256<float> power = ((biased.AsInt32() << 23) + Vector256<float>.One.AsInt32()).AsSingle();
        return Vector256.AndNot(p * power, Vector256.LessThan(x, Vector256.Create(-125f)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> PowerOfTwo(Vector256<int> exponent) => ((exponent + Vector256.Create(127)) << 23).AsSingle();
}
