using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace InferenceServer.Engine.Sampling;

/// <summary>Filters that make unlikely tokens impossible. Weights need not sum to one: each filter works on the share of what is left.</summary>
internal static class WeightFilters
{
    /// <summary>Top-p, or nucleus sampling (Holtzman et al. 2019): the smallest set of likeliest tokens whose weights reach that share of all.</summary>
    /// <param name="weights">(vocabulary) 0 = impossible; not all are.</param>
    /// <param name="total">The sum of the weights.</param>
    /// <param name="share">(0, 1)</param>
    /// <param name="scratch">Of this thread.</param>
    public static void TopP(Span<float> weights, double total, float share, SamplerScratch scratch)
    {
        // Tokens below this floor sum to less than (1 - share) * total, so the border cannot lie among them; of a trained
        // model's vocabulary a few hundred remain. The 0.999 stands above all rounding.
        float floor = Math.Max((float)(0.999 * (1.0 - share) * total / weights.Length), float.Epsilon);
        Span<float> keys = scratch.Keys(weights.Length);
        keys = keys[..TopSelection.CopyFrom(weights, floor, keys)];
        float border = TopSelection.Border(keys, [], Math.Max(share * total, float.Epsilon), out double needed);
        Cut(weights, new Threshold(border, (int)Math.Ceiling(needed / border)), 0f);
    }

    /// <summary>
    /// Locally typical sampling (Meister et al. 2022): the smallest set of tokens whose surprise is nearest to the entropy and whose weights reach the
    /// mass. Tokens tied at the border are all kept, as in Hugging Face.
    /// </summary>
    /// <param name="weights">(vocabulary) exp of the exponents below; 0 = impossible, not all are.</param>
    /// <param name="logits">(vocabulary)</param>
    /// <param name="max">The exponents are (logit - max) * scale.</param>
    /// <param name="scale">1 / temperature.</param>
    /// <param name="share">(0, 1)</param>
    /// <param name="scratch">Of this thread.</param>
    public static void TypicalP(Span<float> weights, ReadOnlySpan<float> logits, float max, float scale, float share, SamplerScratch scratch)
    {
        (double total, double mean) = Moments(weights, logits, max, scale);
        Vector256<float> maxes = Vector256.Create(max), scales = Vector256.Create(scale), means = Vector256.Create((float)mean);
        ReadOnlySpan<Vector256<float>> logitLanes = MemoryMarshal.Cast<float, Vector256<float>>(logits);
        Span<Vector256<float>> weightLanes = MemoryMarshal.Cast<float, Vector256<float>>(weights)[..logitLanes.Length];
        Span<float> keys = scratch.Keys(weights.Length), masses = scratch.Masses(weights.Length);
        int count = 0, countMasses = 0, tail = logitLanes.Length * Vector256<float>.Count;
        for (int lane = 0; lane < logitLanes.Length; lane++)
        {
            Vector256<float> possible = Vector256.GreaterThan(weightLanes[lane], Vector256<float>.Zero);
            if (possible == Vector256<float>.Zero) continue;
            Lanes.Append(weightLanes[lane], possible, masses, ref countMasses);
            Lanes.Append(Typicality(logitLanes[lane], maxes, scales, means), possible, keys, ref count);
        }

        for (int i = tail; i < weights.Length; i++)
            if (weights[i] > 0) (keys[count], masses[count++]) = (Typicality(Vector256.Create(logits[i]), maxes, scales, means).ToScalar(), weights[i]);

        float border = TopSelection.Border(keys[..count], masses[..count], Math.Max(share * total, float.Epsilon), out _);
        for (int lane = 0; lane < logitLanes.Length; lane++)
            weightLanes[lane] &= Vector256.GreaterThanOrEqual(Typicality(logitLanes[lane], maxes, scales, means), Vector256.Create(border));
        for (int i = tail; i < weights.Length; i++)
            if (Typicality(Vector256.Create(logits[i]), maxes, scales, means).ToScalar() < border) weights[i] = 0;
    }

    /// <summary>0 for a token of exactly average surprise, less the farther from it: -log p - entropy is mean - exponent, as the normaliser cancels.</summary>
    private static Vector256<float> Typicality(Vector256<float> logits, Vector256<float> maxes, Vector256<float> scales, Vector256<float> means) =>
        -Vector256.Abs(means - ((logits - maxes) * scales));

    /// <summary>The sum of the weights, and the mean of the exponents under them.</summary>
    private static (double Total, double Mean) Moments(ReadOnlySpan<float> weights, ReadOnlySpan<float> logits, float max, float scale)
    {
        ReadOnlySpan<Vector256<float>> logitLanes = MemoryMarshal.Cast<float, Vector256<float>>(logits);
        ReadOnlySpan<Vector256<float>> weightLanes = MemoryMarshal.Cast<float, Vector256<float>>(weights)[..logitLanes.Length];
        Vector256<float> maxes = Vector256.Create(max), scales = Vector256.Create(scale);
        double total = 0, moment = 0;
        for (int lane = 0; lane < logitLanes.Length; lane++)
        {
            Vector256<float> weight = weightLanes[lane], possible = Vector256.GreaterThan(weight, Vector256<float>.Zero);
            if (possible == Vector256<float>.Zero) continue;
            total += Lanes.Sum(weight);
            moment += Lanes.Sum(weight * ((logitLanes[lane] - maxes) * scales & possible));
        }

        for (int i = logitLanes.Length * Vector256<float>.Count; i < weights.Length; i++)
        {
            if (weights[i] == 0) continue;
            total += weights[i];
            moment += (double)weights[i] * ((logits[i] - max) * scale);
        }

        return (total, moment / total);
    }

    /// <summary>Overwrites everything outside the threshold with <paramref name="excluded"/>.</summary>
    public static void Cut(Span<float> values, Threshold kept, float excluded)
    {
        Span<Vector256<float>> lanes = MemoryMarshal.Cast<float, Vector256<float>>(values);
        Vector256<float> border = Vector256.Create(kept.Border), blank = Vector256.Create(excluded);
        int ties = kept.Ties;
        for (int lane = 0; lane < lanes.Length; lane++)
        {
            Vector256<float> value = lanes[lane];
            Vector256<float> equal = Vector256.Equals(value, border);
            Vector256<float> keep = Vector256.GreaterThan(value, border);
            if (equal != Vector256<float>.Zero && ties > 0)
            {
                int count = BitOperations.PopCount(equal.ExtractMostSignificantBits());
                if (count > ties)
                {
                    CutOneByOne(values.Slice(lane * Vector256<float>.Count, Vector256<float>.Count), kept.Border, ref ties, excluded);
                    continue;
                }

                ties -= count;
                keep |= equal;
            }

            lanes[lane] = Vector256.ConditionalSelect(keep, value, blank);
        }

        CutOneByOne(values[(lanes.Length * Vector256<float>.Count)..], kept.Border, ref ties, excluded);
    }

    private static void CutOneByOne(Span<float> values, float border, ref int ties, float excluded)
    {
        foreach (ref float value in values)
            if (!(value > border || (value == border && ties-- > 0))) value = excluded;
    }
}
