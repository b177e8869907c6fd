using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace InferenceServer.Engine.Sampling;

/// <summary>
/// Whole-vocabulary passes over logits. Vector256 on every machine: where the hardware is narrower the runtime splits it,
/// and the result stays the same.
/// </summary>
internal static class LogitScan
{
    /// <summary>Vectors an iteration: enough independent loads to keep pace with the second-level cache.</summary>
    private const int Unroll = 4;

    /// <summary>The largest logit's id, the lowest among equals; -1 when any is NaN or the largest is not finite.</summary>
    /// <param name="logits">(vocabulary)</param>
    /// <param name="max">The largest logit; meaningless when -1 is returned.</param>
    public static int ArgMax(ReadOnlySpan<float> logits, out float max)
    {
        ReadOnlySpan<Vector256<float>> lanes = MemoryMarshal.Cast<float, Vector256<float>>(logits);
        Vector256<float> best = Vector256.Create(float.NegativeInfinity), numbers = Vector256<float>.AllBitsSet;
        Vector256<int> bestAt = Vector256<int>.Zero;
        int at = 0;
        for (; at <= lanes.Length - Unroll; at += Unroll)
        {
            Vector256<float> a = lanes[at], b = lanes[at + 1], c = lanes[at + 2], d = lanes[at + 3];
            Vector256<float> largest = Vector256.MaxNative(Vector256.MaxNative(a, b), Vector256.MaxNative(c, d));
            numbers &= Vector256.Equals(a, a) & Vector256.Equals(b, b) & Vector256.Equals(c, c) & Vector256.Equals(d, d);
            Vector256<float> better = Vector256.GreaterThan(largest, best);
            best = Vector256.ConditionalSelect(better, largest, best);
            bestAt = Vector256.ConditionalSelect(better.AsInt32(), Vector256.Create(at), bestAt);
        }

        max = float.NegativeInfinity;
        int from = 0;
        for (int lane = 0; lane < Vector256<float>.Count; lane++)
        {
            if (best[lane] < max || (best[lane] == max && bestAt[lane] >= from)) continue;
            max = best[lane];
            from = bestAt[lane];
        }

        bool allNumbers = numbers.AsInt32() == Vector256<int>.AllBitsSet;
        int tail = at * Vector256<float>.Count, index = -1;
        for (int i = tail; i < logits.Length; i++)
        {
            allNumbers &= !float.IsNaN(logits[i]);
            if (logits[i] > max) (max, index) = (logits[i], i);
        }

        if (!allNumbers || !float.IsFinite(max)) return -1;
        if (index >= 0) return index;
        index = from * Vector256<float>.Count;
        while (logits[index] != max) index++;
        return index;
    }

    /// <summary>How many values are larger than <paramref name="value"/>.</summary>
    public static int CountAbove(ReadOnlySpan<float> values, float value)
    {
        ReadOnlySpan<Vector256<float>> lanes = MemoryMarshal.Cast<float, Vector256<float>>(values);
        Vector256<float> border = Vector256.Create(value);
        Vector256<int> counts = Vector256<int>.Zero;
        foreach (Vector256<float> lane in lanes) counts -= Vector256.GreaterThan(lane, border).AsInt32();
        int count = Vector256.Sum(counts);
        for (int i = lanes.Length * Vector256<float>.Count; i < values.Length; i++)
            if (values[i] > value) count++;
        return count;
    }
}
