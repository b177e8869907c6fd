using System.Diagnostics;
using System.Runtime.CompilerServices;
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
        // Room for twice k, so that a shrink, linear in the buffer, is paid by at least k arrivals: linear in all, whatever the order of the values.
        Span<float> largest = scratch.Largest((int)Math.Min(values.Length, Math.Max(2L * k, 64)) + Vector256<float>.Count);
        int count = 0;
        float border = float.NegativeInfinity;
        ReadOnlySpan<Vector256<float>> lanes = MemoryMarshal.Cast<float, Vector256<float>>(values);
        foreach (Vector256<float> lane in lanes) Add(lane, k, largest, ref count, ref border, scratch);

        Span<float> tail = stackalloc float[Vector256<float>.Count];
        tail.Fill(float.NegativeInfinity);
        values[(lanes.Length * Vector256<float>.Count)..].CopyTo(tail);
        Add(Vector256.Create<float>(tail), k, largest, ref count, ref border, scratch);
        if (count < k) return new Threshold(float.NegativeInfinity, values.Length);
        return KthOf(largest[..count], k, scratch);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(Vector256<float> values, int k, Span<float> largest, ref int count, ref float border, SamplerScratch scratch)
    {
        Vector256<float> larger = Vector256.GreaterThan(values, Vector256.Create(border));
        if (larger == Vector256<float>.Zero) return;
        if (count > largest.Length - Vector256<float>.Count) border = Shrink(k, largest, ref count, scratch);
        Lanes.Append(values, larger, largest, ref count);
    }

    /// <summary>Reduces the buffer to its k largest; returns the least of them.</summary>
    private static float Shrink(int k, Span<float> largest, ref int count, SamplerScratch scratch)
    {
        Threshold kept = KthOf(largest[..count], k, scratch);
        count = Compact(largest[..count], [], kept.Border, above: true);
        largest.Slice(count, kept.Ties).Fill(kept.Border);
        count += kept.Ties;
        return kept.Border;
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
    /// <param name="masses">One a key, not negative; empty where each key is its own mass. Consumed.</param>
    /// <param name="need">More than 0.</param>
    /// <param name="needed">The mass that keys equal to the border have to bring.</param>
    public static float Border(Span<float> keys, Span<float> masses, double need, out double needed)
    {
        Debug.Assert(keys.Length > 0 && (masses.IsEmpty || keys.Length == masses.Length) && need > 0);
        uint random = 0x9E3779B9;
        while (true)
        {
            float pivot = MedianOfThree(keys, ref random);
            (double above, double equal) = MassFrom(keys, masses.IsEmpty ? keys : masses, pivot);
            int kept;
            if (need <= above)
            {
                kept = Compact(keys, masses, pivot, above: true);
            }
            else
            {
                needed = need - above;
                if (needed <= equal) return pivot;
                kept = Compact(keys, masses, pivot, above: false);
                if (kept == 0) return pivot; // only rounding can ask for more than there is
                need = needed - equal;
            }

            keys = keys[..kept];
            if (!masses.IsEmpty) masses = masses[..kept];
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
            Vector256<float> kept = Vector256.GreaterThanOrEqual(lanes[lane], floors);
            if (kept != Vector256<float>.Zero) Lanes.Append(lanes[lane], kept, destination, ref count);
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

            above += Lanes.Sum(blockAbove);
            equal += Lanes.Sum(blockEqual);
        }

        for (int i = keyLanes.Length * Vector256<float>.Count; i < keys.Length; i++)
        {
            if (keys[i] > pivot) above += masses[i];
            if (keys[i] == pivot) equal += masses[i];
        }

        return (above, equal);
    }

    /// <summary>Moves the side of the pivot that is wanted to the front, in order; returns how many.</summary>
    /// <param name="keys">Compacted in place.</param>
    /// <param name="masses">Moved along with the keys; empty when there are none.</param>
    /// <param name="pivot">Itself on neither side.</param>
    /// <param name="above">Which side is wanted.</param>
    private static int Compact(Span<float> keys, Span<float> masses, float pivot, bool above)
    {
        ReadOnlySpan<Vector256<float>> keyLanes = MemoryMarshal.Cast<float, Vector256<float>>(keys);
        ReadOnlySpan<Vector256<float>> massLanes = MemoryMarshal.Cast<float, Vector256<float>>(masses);
        Vector256<float> pivots = Vector256.Create(pivot);
        int kept = 0, keptMasses = 0;
        for (int lane = 0; lane < keyLanes.Length; lane++)
        {
            Vector256<float> key = keyLanes[lane];
            Vector256<float> wanted = above ? Vector256.GreaterThan(key, pivots) : Vector256.LessThan(key, pivots);
            if (!masses.IsEmpty) Lanes.Append(massLanes[lane], wanted, masses, ref keptMasses);
            Lanes.Append(key, wanted, keys, ref kept);
        }

        for (int i = keyLanes.Length * Vector256<float>.Count; i < keys.Length; i++)
        {
            if (!(above ? keys[i] > pivot : keys[i] < pivot)) continue;
            if (!masses.IsEmpty) masses[kept] = masses[i];
            keys[kept++] = keys[i];
        }

        return kept;
    }
}
