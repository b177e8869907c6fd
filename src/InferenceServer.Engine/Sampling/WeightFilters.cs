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
        float border = TopSelection.Border(keys, keys, Math.Max(share * total, float.Epsilon), out double needed);
        Cut(weights, new Threshold(border, (int)Math.Ceiling(needed / border)), 0f);
    }

    /// <summary>
    /// Locally typical sampling (Meister et al. 2022): the smallest set of tokens whose surprise is nearest to the entropy and whose weights reach the
    /// mass. Tokens tied at the border are all kept, as in Hugging Face.
    /// </summary>
    /// <param name="weights">(vocabulary) exp of the scaled logits up to a factor; 0 = impossible, not all are.</param>
    /// <param name="logits">(vocabulary)</param>
    /// <param name="scale">1 / temperature.</param>
    /// <param name="share">(0, 1)</param>
    /// <param name="scratch">Of this thread.</param>
    public static void TypicalP(Span<float> weights, ReadOnlySpan<float> logits, float scale, float share, SamplerScratch scratch)
    {
        double total = 0, moment = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] == 0) continue;
            total += weights[i];
            moment += (double)weights[i] * logits[i];
        }

        // -log p - entropy = mean - logit, both scaled: the normaliser cancels.
        double mean = moment / total;
        Span<float> typicality = scratch.Typicality(weights.Length);
        Span<float> keys = scratch.Keys(weights.Length), masses = scratch.Masses(weights.Length);
        int count = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] == 0) continue;
            typicality[i] = -(float)Math.Abs((mean - logits[i]) * scale);
            (keys[count], masses[count]) = (typicality[i], weights[i]);
            count++;
        }

        float border = TopSelection.Border(keys[..count], masses[..count], Math.Max(share * total, float.Epsilon), out _);
        for (int i = 0; i < weights.Length; i++)
            if (weights[i] != 0 && typicality[i] < border) weights[i] = 0;
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
