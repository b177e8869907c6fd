namespace InferenceServer.Cuda.Tests.Backend;

/// <summary>What ops mean, in double precision: slow, short and obviously right.</summary>
internal static class Formulas
{
    /// <summary>weight (rows, columns) x input (columns).</summary>
    public static double[] MatMul(float[] weight, float[] input, int rows)
    {
        double[] output = new double[rows];
        for (int r = 0; r < rows; r++)
            for (int k = 0; k < input.Length; k++) output[r] += (double)weight[r * input.Length + k] * input[k];
        return output;
    }

    public static double[] RmsNorm(IReadOnlyList<float> row, float[] gain, double epsilon)
    {
        double root = Math.Sqrt(row.Sum(v => (double)v * v) / row.Count + epsilon);
        return [.. row.Select((v, i) => v / root * gain[i])];
    }

    /// <summary>Pairs (i, i + half of what rotates) turn by position / 100^(2i / rotary).</summary>
    public static double[] Rope(double[] head, int position, int rotary)
    {
        double[] output = [.. head];
        for (int i = 0; i < rotary / 2; i++)
        {
            double angle = Angle(position, i, rotary), a = head[i], b = head[i + rotary / 2];
            output[i] = a * Math.Cos(angle) - b * Math.Sin(angle);
            output[i + rotary / 2] = b * Math.Cos(angle) + a * Math.Sin(angle);
        }

        return output;
    }

    public static double Angle(int position, int pair, int rotary) => position * Math.Pow(100, -2.0 * pair / rotary);

    /// <summary>Softmax attention of one query over keys and values.</summary>
    public static double[] Attention(double[] query, IReadOnlyList<double[]> keys, IReadOnlyList<double[]> values, double scale)
    {
        double[] weights = [.. keys.Select(key => key.Zip(query, (k, q) => k * q).Sum() * scale)];
        double top = weights.Max(), sum = weights.Sum(w => Math.Exp(w - top));
        double[] output = new double[query.Length];
        for (int p = 0; p < weights.Length; p++)
            for (int d = 0; d < output.Length; d++) output[d] += Math.Exp(weights[p] - top) / sum * values[p][d];
        return output;
    }
}
