using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// Softmax in tiles that are merged in order (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018): tiles are fixed
/// ranges of absolute positions, so a token's result does not depend on how its prompt was cut nor on who computes which tile. Scores are in
/// units of log 2, so that a power of two is all that is left to compute.
/// </summary>
internal static unsafe class Softmax
{
    private const int Lanes = 8;

    /// <summary>Turns the scores of a row in one tile into 2^(score - their maximum).</summary>
    /// <param name="scores">(count) Excluded slots hold negative infinity and become 0; overwritten.</param>
    /// <param name="count">A multiple of 16, not 0.</param>
    /// <param name="maximum">Of the scores.</param>
    /// <param name="sum">Of the powers.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Turn(float* scores, int count, out float maximum, out float sum)
    {
        Debug.Assert(count > 0 && count % Tile.GroupRows == 0);
        Vector256<float> low = Vector256.Load(scores), high = Vector256.Load(scores + Lanes);
        for (int i = Tile.GroupRows; i < count; i += Tile.GroupRows)
        {
            low = Vector256.MaxNative(low, Vector256.Load(scores + i));
            high = Vector256.MaxNative(high, Vector256.Load(scores + i + Lanes));
        }

        maximum = Highest(Vector256.MaxNative(low, high));
        Vector256<float> top = Vector256.Create(maximum);
        low = high = default;
        for (int i = 0; i < count; i += Tile.GroupRows)
        {
            Vector256<float> p = Exponential.PowerOfTwoBelowOne(Vector256.Load(scores + i) - top);
            Vector256<float> q = Exponential.PowerOfTwoBelowOne(Vector256.Load(scores + i + Lanes) - top);
            p.Store(scores + i);
            q.Store(scores + i + Lanes);
            low += p;
            high += q;
        }

        sum = Vector256.Sum(low + high);
    }

    /// <summary>Adds a tile's totals to those of the tiles before it, both brought to the larger maximum.</summary>
    /// <param name="totals">(columns) Of the tiles before; a multiple of 16.</param>
    /// <param name="maximum">Of the tiles before; negative infinity if there is none, and then the tile is taken as it is.</param>
    /// <param name="sum">Of the tiles before.</param>
    /// <param name="tileTotals">(columns)</param>
    /// <param name="tileMaximum">Negative infinity: the row sees nothing of this tile.</param>
    /// <param name="tileSum">Of the tile.</param>
    /// <param name="columns">A multiple of 16.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Merge(float* totals, ref float maximum, ref float sum, float* tileTotals, float tileMaximum, float tileSum, int columns)
    {
        if (float.IsNegativeInfinity(tileMaximum)) return;
        if (float.IsNegativeInfinity(maximum))
        {
            (maximum, sum) = (tileMaximum, tileSum);
            new ReadOnlySpan<float>(tileTotals, columns).CopyTo(new Span<float>(totals, columns));
            return;
        }

        float next = MathF.Max(maximum, tileMaximum);
        Vector256<float> before = Exponential.PowerOfTwoBelowOne(Vector256.Create(maximum - next));
        Vector256<float> added = Exponential.PowerOfTwoBelowOne(Vector256.Create(tileMaximum - next));
        for (int i = 0; i < columns; i += Lanes)
            Vector256.MultiplyAddEstimate(Vector256.Load(totals + i), before, Vector256.Load(tileTotals + i) * added).Store(totals + i);
        sum = sum * before.ToScalar() + tileSum * added.ToScalar();
        maximum = next;
    }

    /// <summary>rows[row][0..16] *= factors: one group of slots by what belongs to its positions. Rows are a tile apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void ScaleGroup(float* rows, int count, float* factors)
    {
        Vector256<float> low = Vector256.Load(factors), high = Vector256.Load(factors + Lanes);
        for (; count > 0; count--, rows += AttentionKernels.ScoreStride)
        {
            (Vector256.Load(rows) * low).Store(rows);
            (Vector256.Load(rows + Lanes) * high).Store(rows + Lanes);
        }
    }

    internal static float Highest(Vector256<float> lanes)
    {
        Vector128<float> four = Vector128.MaxNative(lanes.GetLower(), lanes.GetUpper());
        Vector128<float> two = Vector128.MaxNative(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(two, Vector128.Shuffle(two, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }
}
