using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace InferenceServer.Engine.Sampling;

/// <summary>Two things to do with the eight floats of a vector that the runtime does not offer, or not in a fixed order.</summary>
internal static class Lanes
{
    /// <summary>One permutation for each choice among eight lanes (8 kB).</summary>
    private static readonly Vector256<int>[] Orders = BuildOrders();

    /// <summary>
    /// Writes eight values at <paramref name="count"/>, those selected first, and advances by the number selected: no branch, which on
    /// random data would cost ten times the store.
    /// </summary>
    /// <param name="values">Eight values.</param>
    /// <param name="selected">All ones where a value is chosen.</param>
    /// <param name="destination">Room for eight at count; may be the array that the values were read from, at or before their place.</param>
    /// <param name="count">How many the destination holds.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Append(Vector256<float> values, Vector256<float> selected, Span<float> destination, ref int count)
    {
        uint bits = selected.ExtractMostSignificantBits();
        Vector256.ShuffleNative(values, Orders[(int)bits]).CopyTo(destination[count..]);
        count += BitOperations.PopCount(bits);
    }

    /// <summary>The sum, in one order on every machine.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> values)
    {
        Vector128<float> half = values.GetLower() + values.GetUpper();
        return (half[0] + half[1]) + (half[2] + half[3]);
    }

    private static Vector256<int>[] BuildOrders()
    {
        Vector256<int>[] orders = new Vector256<int>[256];
        Span<int> order = stackalloc int[8];
        for (int bits = 0; bits < orders.Length; bits++)
        {
            int count = 0;
            order.Clear();
            for (int lane = 0; lane < order.Length; lane++)
                if ((bits >> lane & 1) != 0) order[count++] = lane;
            orders[bits] = Vector256.Create<int>(order);
        }

        return orders;
    }
}
