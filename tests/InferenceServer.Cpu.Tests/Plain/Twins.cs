namespace InferenceServer.Cpu.Tests.Plain;

/// <summary>The plain twin of each kernel, in double precision: slow, short and obviously right.</summary>
internal static class Twins
{
    /// <summary>weight (rows, columns) x input (columns).</summary>
    public static double[] MatMul(float[] weight, float[] input, int rows)
    {
        double[] output = new double[rows];
        for (int r = 0; r < rows; r++)
        {
            for (int k = 0; k < input.Length; k++) output[r] += (double)weight[r * input.Length + k] * input[k];
        }

        return output;
    }

    public static double[] RmsNorm(ReadOnlySpan<float> row, float[] gain, double epsilon)
    {
        double squares = 0;
        foreach (float value in row) squares += (double)value * value;
        double[] output = new double[row.Length];
        for (int i = 0; i < output.Length; i++) output[i] = row[i] / Math.Sqrt(squares / row.Length + epsilon) * gain[i];
        return output;
    }

    public static double Silu(double x) => x / (1 + Math.Exp(-x));

    /// <summary>Pairs (i, i + rotaryDim / 2) of one head turn by position / base^(2i / rotaryDim).</summary>
    public static double[] Rope(ReadOnlySpan<double> head, int position, int rotaryDim, double thetaBase)
    {
        double[] output = head.ToArray();
        for (int i = 0; i < rotaryDim / 2; i++)
        {
            double angle = position * Math.Pow(thetaBase, -2.0 * i / rotaryDim), a = head[i], b = head[i + rotaryDim / 2];
            output[i] = a * Math.Cos(angle) - b * Math.Sin(angle);
            output[i + rotaryDim / 2] = b * Math.Cos(angle) + a * Math.Sin(angle);
        }

        return output;
    }

    /// <summary>What is left of a key or a value after it was stored: all of it, 8 bits of mantissa, or 255 steps of its largest number.</summary>
    public static double[] Stored(double[] vector, KvType type)
    {
        double step = vector.Max(Math.Abs) / 127;
        return type switch
        {
            KvType.F32 => vector,
            KvType.BF16 => [.. vector.Select(v => (double)Bf16((float)v))],
            _ => [.. vector.Select(v => step == 0 ? 0 : Math.Round(v / step) * step)],
        };
    }

    /// <summary>To the nearer neighbour with a 16-bit pattern, to the even one half way.</summary>
    public static float Bf16(float value)
    {
        float down = BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0xFFFF0000);
        float up = BitConverter.UInt32BitsToSingle((BitConverter.SingleToUInt32Bits(value) & 0xFFFF0000) + 0x10000);
        double below = Math.Abs((double)value - down), above = Math.Abs((double)up - value);
        bool isDownEven = (BitConverter.SingleToUInt32Bits(value) & 0x10000) == 0;
        return below < above || (below == above && isDownEven) ? down : up;
    }

    /// <summary>Softmax attention of one query over keys and values first..last.</summary>
    public static double[] Attention(double[] query, double[][] keys, double[][] values, int first, int last, double scale)
    {
        double[] weights = new double[last + 1], output = new double[query.Length];
        for (int p = first; p <= last; p++) weights[p] = query.Zip(keys[p], (q, k) => q * k).Sum() * scale;
        double top = weights[first..].Max(), sum = 0;
        for (int p = first; p <= last; p++) sum += weights[p] = Math.Exp(weights[p] - top);
        for (int p = first; p <= last; p++)
        {
            for (int d = 0; d < output.Length; d++) output[d] += weights[p] / sum * values[p][d];
        }

        return output;
    }
}
