using InferenceServer.Models.Architectures;
using InferenceServer.Models.Configuration;

namespace InferenceServer.Models.Tests;

/// <summary>Against the formulas as transformers' modeling_rope_utils.py writes them, by wavelengths.</summary>
public class RopeFrequenciesTests
{
    [Theory]
    [InlineData(64, 500_000, 32, 1, 4, 8192)] // Llama 3.2 1B
    [InlineData(128, 500_000, 8, 1, 4, 8192)] // Llama 3.1
    public void Llama3(int headDim, double theta, double factor, double low, double high, int original)
    {
        ModelConfig config = Config(headDim, theta, 131072, new RopeScaling
        {
            Kind = RopeScalingKind.Llama3,
            Factor = factor,
            LowFrequencyFactor = low,
            HighFrequencyFactor = high,
            OriginalPositions = original,
        });
        double[] actual = RopeFrequencies.Compute(config, 131072);
        int kept = 0, divided = 0, blended = 0;
        for (int i = 0; i < headDim / 2; i++)
        {
            double frequency = 1 / Math.Pow(theta, 2.0 * i / headDim), wavelength = 2 * Math.PI / frequency, expected;
            if (wavelength < original / high) (expected, kept) = (frequency, kept + 1);
            else if (wavelength > original / low) (expected, divided) = (frequency / factor, divided + 1);
            else
            {
                double smooth = (original / wavelength - low) / (high - low);
                (expected, blended) = ((1 - smooth) * (frequency / factor) + smooth * frequency, blended + 1);
            }

            Assert.Equal(expected, actual[i], expected * 1e-12);
        }

        Assert.True(kept > 0 && divided > 0 && blended > 0, "every branch is met");
    }

    [Fact]
    public void Linear_divides_positions()
    {
        double[] plain = RopeFrequencies.Compute(Config(64, 10_000, 4096, RopeScaling.None), 4096);
        double[] scaled = RopeFrequencies.Compute(Config(64, 10_000, 4096, new RopeScaling { Kind = RopeScalingKind.Linear, Factor = 4 }), 16384);
        Assert.Equal(plain.Select(f => f / 4), scaled);
        Assert.Equal(1, plain[0]);
        Assert.Equal(1 / Math.Pow(10_000, 62.0 / 64), plain[31], 1e-15);
    }

    [Fact]
    public void Dynamic_changes_nothing_within_the_trained_context_and_the_base_beyond()
    {
        ModelConfig config = Config(64, 10_000, 2048, new RopeScaling { Kind = RopeScalingKind.Dynamic, Factor = 2 });
        Assert.Equal(RopeFrequencies.Compute(Config(64, 10_000, 2048, RopeScaling.None), 2048), RopeFrequencies.Compute(config, 1000));
        double grown = 10_000 * Math.Pow(2.0 * 4096 / 2048 - (2.0 - 1), 64.0 / (64 - 2));
        double[] actual = RopeFrequencies.Compute(config, 4096);
        for (int i = 0; i < 32; i++) Assert.Equal(1 / Math.Pow(grown, 2.0 * i / 64), actual[i], 1e-12);
        Assert.Equal(2048, config.NativeContext);
        Assert.Equal(4096, config.LongestContext);
    }

    [Fact]
    public void Table_holds_cosines_and_sines_by_position()
    {
        ModelConfig config = Config(8, 100, 64, RopeScaling.None);
        (float[] cosines, float[] sines) = RopeFrequencies.Table(config, 50);
        Assert.Equal(50 * 4, cosines.Length);
        for (int position = 0; position < 50; position++)
            for (int i = 0; i < 4; i++)
            {
                double angle = position / Math.Pow(100, i / 4.0);
                Assert.Equal(Math.Cos(angle), cosines[position * 4 + i], 1e-6);
                Assert.Equal(Math.Sin(angle), sines[position * 4 + i], 1e-6);
            }
    }

    private static ModelConfig Config(int headDim, double theta, int positions, RopeScaling scaling) => new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = 10,
        HiddenSize = headDim,
        IntermediateSize = 8,
        Layers = 1,
        Heads = 1,
        KvHeads = 1,
        HeadDim = headDim,
        MaxPositions = positions,
        NormEpsilon = 1e-5f,
        RopeTheta = theta,
        RopeScaling = scaling,
    };
}
