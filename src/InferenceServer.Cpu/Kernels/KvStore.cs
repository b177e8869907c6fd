using System.Runtime.CompilerServices;

namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// One head's key or value of one position into the cache; layouts at <see cref="Handles.CpuKvCache"/>. A key is one column of its group, so its
/// numbers lie 16 apart. Rounding is to nearest even; what is not finite stays so.
/// </summary>
internal static unsafe class KvStore
{
    private const int GroupRows = Tile.GroupRows;

    /// <summary>Columns of a chunk of bf16 values: two vectors of 16.</summary>
    public const int ChunkColumns = 2 * GroupRows;

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void KeyF32(float* key, int headDim, float* column)
    {
        for (int i = 0; i < headDim; i++) column[i * GroupRows] = key[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void KeyBf16(float* key, int headDim, uint* column)
    {
        for (int i = 0; i < headDim; i += 2, column += GroupRows) *column = Bf16(key[i]) | (Bf16(key[i + 1]) << 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void KeyQ8(float* key, int headDim, sbyte* column, float* scale)
    {
        float inverse = Scale(key, headDim, scale);
        for (int i = 0; i < headDim; i++, column += GroupRows) *column = Q8(key[i] * inverse);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void ValueBf16(float* value, int headDim, uint* row)
    {
        for (int done = 0; done < headDim; done += ChunkColumns)
        {
            int half = Math.Min(ChunkColumns, headDim - done) / 2;
            for (int i = 0; i < half; i++) row[i] = Bf16(value[i]) | (Bf16(value[half + i]) << 16);
            row += half;
            value += 2 * half;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void ValueQ8(float* value, int headDim, sbyte* row, float* scale)
    {
        float inverse = Scale(value, headDim, scale);
        for (int i = 0; i < headDim; i++) row[i] = Q8(value[i] * inverse);
    }

    /// <summary>Stores the largest magnitude / 127; returns 127 / that, 0 for a vector of zeros.</summary>
    private static float Scale(float* vector, int length, float* scale)
    {
        float largest = 0;
        for (int i = 0; i < length; i++) largest = MathF.Max(largest, MathF.Abs(vector[i]));
        *scale = largest / 127f;
        return *scale > 0 ? 1f / *scale : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static sbyte Q8(float value) => (sbyte)Math.Clamp((int)MathF.Round(value), -127, 127);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Bf16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (bits >> 16) | 0x40 : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    }
}
