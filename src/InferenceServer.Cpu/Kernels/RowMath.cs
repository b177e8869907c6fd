using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// Element-wise work on one row. Written over <see cref="Vector256"/>, which every machine has in some form, so there is one path.
/// Rows are padded to 16 floats; a column's value comes from the same instructions wherever a thread's share begins.
/// </summary>
internal static unsafe class RowMath
{
    private const int Lanes = 8;

    /// <summary>1 / rms(row): sixteen partial sums whatever the length.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static float InverseRms(float* row, int columns, float epsilon)
    {
        Vector256<float> low = default, high = default;
        int i = 0;
        for (; i + 16 <= columns; i += 16)
        {
            Vector256<float> a = Vector256.Load(row + i), b = Vector256.Load(row + i + Lanes);
            low = Vector256.MultiplyAddEstimate(a, a, low);
            high = Vector256.MultiplyAddEstimate(b, b, high);
        }

        float sum = Vector256.Sum(low + high);
        for (; i < columns; i++) sum += row[i] * row[i];
        return 1f / MathF.Sqrt(sum / columns + epsilon);
    }

    /// <summary>output = input * scale * gain.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Scale(float* input, float scale, float* gain, float* output, int columns)
    {
        int i = 0;
        for (; i + Lanes <= columns; i += Lanes)
            (Vector256.Load(input + i) * Vector256.Create(scale) * Vector256.Load(gain + i)).Store(output + i);
        for (; i < columns; i++) output[i] = input[i] * scale * gain[i];
    }

    /// <summary>row += delta.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Add(float* row, float* delta, int columns)
    {
        int i = 0;
        for (; i + Lanes <= columns; i += Lanes) (Vector256.Load(row + i) + Vector256.Load(delta + i)).Store(row + i);
        for (; i < columns; i++) row[i] += delta[i];
    }

    /// <summary>gate = silu(gate) * up. Columns is a multiple of 8; up may be unaligned.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void SiluMultiply(float* gate, float* up, int columns)
    {
        Debug.Assert(columns % Lanes == 0);
        for (int i = 0; i < columns; i += Lanes)
        {
            Vector256<float> g = Vector256.Load(gate + i);
            (g / (Vector256<float>.One + Exponential.Exp(-g)) * Vector256.Load(up + i)).Store(gate + i);
        }
    }

    /// <summary>Turns each pair (i, i + half) by the position's angle i.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Rotate(float* head, float* cosines, float* sines, int half)
    {
        float* second = head + half;
        int i = 0;
        for (; i + Lanes <= half; i += Lanes)
        {
            Vector256<float> a = Vector256.Load(head + i), b = Vector256.Load(second + i);
            Vector256<float> c = Vector256.Load(cosines + i), s = Vector256.Load(sines + i);
            (a * c - b * s).Store(head + i);
            (b * c + a * s).Store(second + i);
        }

        for (; i < half; i++)
        {
            float a = head[i], b = second[i];
            head[i] = a * cosines[i] - b * sines[i];
            second[i] = b * cosines[i] + a * sines[i];
        }
    }
}
