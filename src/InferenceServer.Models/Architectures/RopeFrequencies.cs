using InferenceServer.Models.Configuration;

namespace InferenceServer.Models.Architectures;

/// <summary>
/// Rotary angles (Su et al. 2021, "RoFormer") with the scalings of transformers' modeling_rope_utils.py, in double until stored.
/// Dynamic NTK scaling depends on the length of the text; one table for the configured context is computed here, so that a token's
/// key does not change while its sequence grows (a paged cache could not take that back). For contexts up to max_position_embeddings
/// it changes nothing.
/// </summary>
internal static class RopeFrequencies
{
    /// <summary>Cosines and sines, each (positions, headDim / 2).</summary>
    public static (float[] Cosines, float[] Sines) Table(ModelConfig config, int positions)
    {
        double[] frequencies = Compute(config, positions);
        float[] cosines = new float[checked(positions * frequencies.Length)], sines = new float[cosines.Length];
        for (int position = 0; position < positions; position++)
        {
            for (int i = 0; i < frequencies.Length; i++)
            {
                (double sine, double cosine) = Math.SinCos(position * frequencies[i]);
                cosines[position * frequencies.Length + i] = (float)cosine;
                sines[position * frequencies.Length + i] = (float)sine;
            }
        }

        return (cosines, sines);
    }

    /// <summary>Radians a position, for each pair of dimensions.</summary>
    public static double[] Compute(ModelConfig config, int context)
    {
        RopeScaling scaling = config.RopeScaling;
        double theta = scaling.Kind == RopeScalingKind.Dynamic ? DynamicTheta(config, context) : config.RopeTheta;
        double[] frequencies = new double[config.HeadDim / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            double frequency = Math.Pow(theta, -2.0 * i / config.HeadDim);
            frequencies[i] = scaling.Kind switch
            {
                RopeScalingKind.Linear => frequency / scaling.Factor,
                RopeScalingKind.Llama3 => Ramp(frequency, scaling),
                _ => frequency,
            };
            if (scaling.Factors is { } factors) frequencies[i] /= factors[i];
        }

        return frequencies;
    }

    private static double DynamicTheta(ModelConfig config, int context)
    {
        double stretch = Math.Max(1, (double)context / config.MaxPositions);
        double factor = config.RopeScaling.Factor;
        return config.RopeTheta * Math.Pow(factor * stretch - (factor - 1), config.HeadDim / (config.HeadDim - 2.0));
    }

    /// <summary>Wavelengths beyond the trained context are stretched by the factor, short ones kept, those between blended.</summary>
    private static double Ramp(double frequency, RopeScaling scaling)
    {
        double turns = scaling.OriginalPositions * frequency / (2 * Math.PI); // in the trained context
        if (turns < scaling.LowFrequencyFactor) return frequency / scaling.Factor;
        if (turns > scaling.HighFrequencyFactor) return frequency;
        double smooth = (turns - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
        return (1 - smooth) * frequency / scaling.Factor + smooth * frequency;
    }
}
