namespace InferenceServer.Models.Tests;

/// <summary>
/// The decoder family once more, written from the papers' formulas in double, without pages, fusion or backend: all tokens at once.
/// Parts can be left out, to show that they matter.
/// </summary>
internal sealed class PlainFormula(TinyModel model)
{
    private const double Epsilon = 1e-5;

    /// <summary>Whether biases in the file are added.</summary>
    public bool Biases { get; init; } = true;

    /// <summary>Whether norms of q and k in the file are applied.</summary>
    public bool QkNorms { get; init; } = true;

    /// <summary>How far back layer i sees; 0 = all.</summary>
    public Func<int, int> Window { get; init; } = _ => 0;

    /// <summary>Radians a position for each pair of dimensions.</summary>
    public double[] Frequencies { get; init; } = [.. Enumerable.Range(0, TinyModel.HeadDim / 2).Select(i => Math.Pow(100, -2.0 * i / TinyModel.HeadDim))];

    /// <summary>(tokens, vocabulary)</summary>
    public double[][] Logits(IReadOnlyList<int> tokens)
    {
        double[] embedding = Weights("model.embed_tokens.weight");
        double[][] x = [.. tokens.Select(t => embedding[(t * TinyModel.Hidden)..((t + 1) * TinyModel.Hidden)])];
        for (int layer = 0; layer < TinyModel.Layers; layer++)
        {
            string name = $"model.layers.{layer}.";
            double[][] attended = Attention([.. x.Select(h => Norm(h, name + "input_layernorm.weight"))], name + "self_attn.", Window(layer));
            x = [.. x.Zip(attended, Sum)];
            x = [.. x.Select(h => Sum(h, Mlp(Norm(h, name + "post_attention_layernorm.weight"), name + "mlp.")))];
        }

        string head = model.Tensors.ContainsKey("lm_head.weight") ? "lm_head" : "model.embed_tokens";
        return [.. x.Select(h => Linear(Norm(h, "model.norm.weight"), head))];
    }

    private double[][] Attention(double[][] inputs, string name, int window)
    {
        double[][] values = [.. inputs.Select(h => Linear(h, name + "v_proj"))];
        double[][] keys = [.. inputs.Select((h, position) => Rotated(Linear(h, name + "k_proj"), name + "k_norm.weight", position))];
        double[][] outputs = new double[inputs.Length][];
        for (int t = 0; t < inputs.Length; t++)
        {
            double[] query = Rotated(Linear(inputs[t], name + "q_proj"), name + "q_norm.weight", t);
            double[] mixed = new double[TinyModel.Heads * TinyModel.HeadDim];
            for (int head = 0; head < TinyModel.Heads; head++)
            {
                int kvHead = head * TinyModel.KvHeads / TinyModel.Heads;
                double[] weights = new double[t + 1];
                for (int s = 0; s <= t; s++)
                    if (window == 0 || t - s < window) weights[s] = Math.Exp(Dot(Head(query, head), Head(keys[s], kvHead)) / Math.Sqrt(TinyModel.HeadDim));
                double total = weights.Sum();
                for (int s = 0; s <= t; s++)
                    for (int i = 0; i < TinyModel.HeadDim; i++)
                        mixed[head * TinyModel.HeadDim + i] += weights[s] / total * Head(values[s], kvHead)[i];
            }

            outputs[t] = Linear(mixed, name + "o_proj");
        }

        return outputs;
    }

    /// <summary>Each head normed if there is a gain for it, then rotated as complex numbers (x[i], x[i + half]).</summary>
    private double[] Rotated(double[] vector, string gain, int position)
    {
        double[] result = [];
        for (int head = 0; head < vector.Length / TinyModel.HeadDim; head++)
        {
            double[] x = Head(vector, head);
            if (QkNorms && model.Tensors.ContainsKey(gain)) x = Norm(x, gain);
            int half = x.Length / 2;
            double[] rotated = new double[x.Length];
            for (int i = 0; i < half; i++)
            {
                System.Numerics.Complex z = new System.Numerics.Complex(x[i], x[i + half]) * System.Numerics.Complex.FromPolarCoordinates(1, position * Frequencies[i]);
                (rotated[i], rotated[i + half]) = (z.Real, z.Imaginary);
            }

            result = [.. result, .. rotated];
        }

        return result;
    }

    private double[] Mlp(double[] x, string name)
    {
        double[] gate = Linear(x, name + "gate_proj"), up = Linear(x, name + "up_proj");
        return Linear([.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)], name + "down_proj");
    }

    private double[] Linear(double[] x, string name)
    {
        double[] weight = Weights(name + ".weight");
        double[] y = [.. Enumerable.Range(0, weight.Length / x.Length).Select(row => Dot(weight[(row * x.Length)..((row + 1) * x.Length)], x))];
        return Biases && model.Tensors.ContainsKey(name + ".bias") ? Sum(y, Weights(name + ".bias")) : y;
    }

    private double[] Norm(double[] x, string gain)
    {
        double scale = 1 / Math.Sqrt(x.Average(v => v * v) + Epsilon);
        return [.. x.Zip(Weights(gain), (v, g) => v * scale * g)];
    }

    private double[] Weights(string name) => [.. model.Tensors[name].Values.Select(v => (double)v)];

    private static double[] Head(double[] vector, int head) => vector[(head * TinyModel.HeadDim)..((head + 1) * TinyModel.HeadDim)];

    private static double[] Sum(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();
}
