using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace InferenceServer.Engine.Sampling;

/// <summary>
/// Finds borders without sorting: quickselect (Hoare 1961, "Algorithm 65: FIND") over masses instead of counts. A round sums what lies above a pivot
/// in one vector pass, then keeps only the side that holds the border; expected cost is linear. Top-k is the same search with a mass of one each.
/// </summary>
internal static class TopSelection
{
    /// <summary>Vectors (512 floats) a block: sums are float within a block and double across blocks.</summary>
    private const int LanesPerBlock = 64;

    /// <summary>The k-th largest of many values, and how many equal to it belong to the first k.</summary>
    /// <param name="values">(vocabulary) No NaN. Unchanged.</param>
    /// <param name="k">1 or more; when fewer values than that exceed negative infinity, the border is negative infinity.</param>
    /// <param name="scratch">Of this thread; uses Largest, Keys and Masses.</param>
    public static Threshold KthLargest(ReadOnlySpan<float> values, int k, SamplerScratch scratch)
    {
        Debug.Assert(k > 0);
        // Twice k, so that a shrink, linear in the buffer, is paid by at least k arrivals: linear in all, whatever the order of the values.
        Span<float> largest = scratch.Largest((int)Math.Min(values.Length, Math.Max(2L * k, 64)));
        int count = 0;
        float border = float.NegativeInfinity;
        ReadOnlySpan<Vector256<float>> lanes = MemoryMarshal.Cast<float, Vector256<float>>(values);
        for (int lane = 0; lane < lanes.Length; lane++)
        {
            if (!Vector256.GreaterThanAny(lanes[lane], Vector256.Create(border))) continue;
            for (int i = lane * Vector256<float>.Count; i < (lane + 1) * Vector256<float>.Count; i++)
                Add(values[i], k, largest, ref count, ref border, scratch);
        }

        for (int i = lanes.Length * Vector256<float>.Count; i < values.Length; i++) Add(values[i], k, largest, ref count, ref border, scratch);
        if (count < k) return new Threshold(float.NegativeInfinity, values.Length);
        return KthOf(largest[..count], k, scratch);
    }

    private static void Add(float value, int k, Span<float> largest, ref int count, ref float border, SamplerScratch scratch)
    {
        if (value <= border) return;
        if (count == largest.Length)
        {
            Threshold kept = KthOf(largest, k, scratch);
            border = kept.Border;
            count = CompactAbove(largest, largest, border);
            largest.Slice(count, kept.Ties).Fill(border);
            count += kept.Ties;
            if (value <= border) return;
        }

        largest[count++] = value;
    }

    private static Threshold KthOf(ReadOnlySpan<float> values, int k, SamplerScratch scratch)
    {
        Span<float> keys = scratch.Keys(values.Length), ones = scratch.Masses(values.Length);
        values.CopyTo(keys);
        ones.Fill(1f);
        float border = Border(keys, ones, k, out double needed);
        return new Threshold(border, (int)needed);
    }

    /// <summary>The largest key such that the masses of all keys not below it sum to at least <paramref name="need"/>; the smallest key if none does.</summary>
    /// <param name="keys">At least one, no NaN. Consumed.</param>
    /// <param name="masses">One a key, not negative; may be the same memory as the keys. Consumed.</param>
    /// <param name="need">More than 0.</param>
    /// <param name="needed">The mass that keys equal to the border have to bring.</param>
    public static float Border(Span<float> keys, Span<float> masses, double need, out double needed)
    {
        Debug.Assert(keys.Length > 0 && keys.Length == masses.Length && need > 0);
        uint random = 0x9E3779B9;
        while (true)
        {
            float pivot = MedianOfThree(keys, ref random);
            (double above, double equal) = MassFrom(keys, masses, pivot);
            int kept;
            if (need <= above)
            {
                kept = CompactAbove(keys, masses, pivot);
            }
            else
            {
                needed = need - above;
                if (needed <= equal) return pivot;
                kept = CompactBelow(keys, masses, pivot);
                if (kept == 0) return pivot; // only rounding can ask for more than there is
                need = needed - equal;
            }

            keys = keys[..kept];
            masses = masses[..kept];
        }
    }

    /// <summary>Copies the values that are not below a floor, in order; returns how many.</summary>
    public static int CopyFrom(ReadOnlySpan<float> values, float floor, Span<float> destination)
    {
        ReadOnlySpan<Vector256<float>> lanes = MemoryMarshal.Cast<float, Vector256<float>>(values);
        Vector256<float> floors = Vector256.Create(floor);
        int count = 0;
        for (int lane = 0; lane < lanes.Length; lane++)
        {
            if (!Vector256.GreaterThanOrEqualAny(lanes[lane], floors)) continue;
            foreach (float value in values.Slice(lane * Vector256<float>.Count, Vector256<float>.Count))
            {
                destination[count] = value; // count never passes the index of the value, which lies inside
                count += value >= floor ? 1 : 0;
            }
        }

        foreach (float value in values[(lanes.Length * Vector256<float>.Count)..])
            if (value >= floor) destination[count++] = value;
        return count;
    }

    /// <summary>Where quickselect splits. The places are drawn from a fixed sequence: no order of the logits is a bad one by nature.</summary>
    private static float MedianOfThree(ReadOnlySpan<float> keys, ref uint random)
    {
        float a = Draw(keys, ref random), b = Draw(keys, ref random), c = Draw(keys, ref random);
        return Math.Max(Math.Min(a, b), Math.Min(Math.Max(a, b), c));
    }

    private static float Draw(ReadOnlySpan<float> keys, ref uint random)
    {
        random = (random * 1664525) + 1013904223; // Numerical Recipes' generator
        return keys[(int)(((ulong)random * (uint)keys.Length) >> 32)];
    }

    private static (double Above, double Equal) MassFrom(ReadOnlySpan<float> keys, ReadOnlySpan<float> masses, float pivot)
    {
        ReadOnlySpan<Vector256<float>> keyLanes = MemoryMarshal.Cast<float, Vector256<float>>(keys);
        ReadOnlySpan<Vector256<float>> massLanes = MemoryMarshal.Cast<float, Vector256<float>>(masses)[..keyLanes.Length];
        Vector256<float> pivots = Vector256.Create(pivot);
        double above = 0, equal = 0;
        for (int block = 0; block < keyLanes.Length; block += LanesPerBlock)
        {
            int end = Math.Min(block + LanesPerBlock, keyLanes.Length);
            Vector256<float> blockAbove = Vector256<float>.Zero, blockEqual = Vector256<float>.Zero;
            for (int i = block; i < end; i++)
            {
                blockAbove += massLanes[i] & Vector256.GreaterThan(keyLanes[i], pivots);
                blockEqual += massLanes[i] & Vector256.Equals(keyLanes[i], pivots);
            }

            above += Vector256.Sum(blockAbove);
            equal += Vector256.Sum(blockEqual);
        }

        for (int i = keyLanes.Length * Vector256<float>.Count; i < keys.Length; i++)
        {
            if (keys[i] > pivot) above += masses[i];
            if (keys[i] == pivot) equal += masses[i];
        }

        return (above, equal);
    }

    /// <summary>Both compactions write always and advance sometimes: a branch on random data would cost ten times the store.</summary>
    private static int CompactAbove(Span<float> keys, Span<float> masses, float pivot)
    {
        int kept = 0;
        for (int i = 0; i < keys.Length; i++)
        {
            float key = keys[i];
            (keys[kept], masses[kept]) = (key, masses[i]);
            kept += key > pivot ? 1 : 0;
        }

        return kept;
    }

    private static int CompactBelow(Span<float> keys, Span<float> masses, float pivot)
    {
        int kept = 0;
        for (int i = 0; i < keys.Length; i++)
        {
            float key = keys[i];
            (keys[kept], masses[kept]) = (key, masses[i]);
            kept += key < pivot ? 1 : 0;
        }

        return kept;
    }
}
