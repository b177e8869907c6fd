namespace InferenceServer.CpuBench.Model;

/// <summary>One tensor to be drawn: (rows, columns); a vector has one row.</summary>
/// <param name="Deviation">Of its normal distribution.</param>
/// <param name="Mean">0 for matrices, 1 for the gains of a norm.</param>
internal sealed record RandomTensorPlan(string Name, int Rows, int Columns, float Deviation, float Mean = 0)
{
    /// <summary>Vectors stay F32 in every format, as llama.cpp demands.</summary>
    public bool IsVector => Rows == 1;

    public static RandomTensorPlan Gains(string name, int columns) => new(name, 1, columns, 0.1f, 1);

    /// <summary>The same numbers for the same name, row and seed, in whatever order rows are drawn. Thread-safe.</summary>
    public void DrawRow(int row, int seed, Span<float> values) // (columns)
    {
        ulong state = (ulong)seed;
        foreach (char c in Name) state = (state ^ c) * 1099511628211; // FNV-1a
        state = (state ^ (uint)row) * 0x9E3779B97F4A7C15;
        for (int i = 0; i < values.Length; i++)
        {
            // SplitMix64; four uniform 16-bit numbers summed are near enough to normal, and their deviation is 65536 / sqrt(3).
            ulong z = state += 0x9E3779B97F4A7C15;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            z ^= z >> 31;
            int sum = (int)(z & 0xFFFF) + (int)((z >> 16) & 0xFFFF) + (int)((z >> 32) & 0xFFFF) + (int)(z >> 48) - 2 * 65535;
            values[i] = Mean + Deviation * sum * (1.7320508f / 65536);
        }
    }
}
