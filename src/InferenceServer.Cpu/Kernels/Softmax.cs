using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// One tile of a running softmax (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018): tiles are fixed
/// ranges of absolute positions, so a token's result does not depend on how its prompt was cut.
/// </summary>
internal static unsafe class Softmax
{
    /// <summary>Turns raw scores into exp(score * scale - maximum) and moves the running maximum and sum on.</summary>
    /// <param name="scores">(count) Excluded positions hold negative infinity; overwritten.</param>
    /// <param name="count">A multiple of 8.</param>
    /// <param name="scale">The attention's softmax scale.</param>
    /// <param name="maximum">Of all scores so far.</param>
    /// <param name="sum">Of all exponentials so far, relative to the maximum.</param>
    /// <returns>What earlier weighted sums must be multiplied by.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static float Advance(float* scores, int count, float scale, ref float maximum, ref float sum)
    {
        Debug.Assert(count % 8 == 0 && scale > 0);
        Vector256<float> highest = Vector256.Create(float.NegativeInfinity);
        for (int i = 0; i < count; i += 8) highest = Vector256.Max(highest, Vector256.Load(scores + i));
        float top = float.NegativeInfinity;
        for (int lane = 0; lane < 8; lane++) top = MathF.Max(top, highest.GetElement(lane));
        float next = MathF.Max(maximum, top * scale);
        float correction = Exponential.Exp(Vector256.Create(maximum - next)).ToScalar();
        Vector256<float> total = default;
        for (int i = 0; i < count; i += 8)
        {
            Vector256<float> p = Exponential.Exp(Vector256.Load(scores + i) * Vector256.Create(scale) - Vector256.Create(next));
            p.Store(scores + i);
            total += p;
        }

        maximum = next;
        sum = sum * correction + Vector256.Sum(total);
        return correction;
    }

    /// <summary>row *= factor; columns is a multiple of 8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Scale(float* row, int columns, float factor)
    {
        for (int i = 0; i < columns; i += 8) (Vector256.Load(row + i) * Vector256.Create(factor)).Store(row + i);
    }
}
