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
