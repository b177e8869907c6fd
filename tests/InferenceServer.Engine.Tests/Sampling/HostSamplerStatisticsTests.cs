using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Sampling;
using Xunit;

namespace InferenceServer.Engine.Tests.Sampling;

public class HostSamplerStatisticsTests
{
    public static TheoryData<string, SamplingParameters> Chains => new()
    {
        { "the model's own", new SamplingParameters() },
        { "temperature", new SamplingParameters { Temperature = 0.6f } },
        { "top-k", new SamplingParameters { TopK = 9 } },
        { "top-p", new SamplingParameters { TopP = 0.8f, Temperature = 1.5f } },
        { "min-p", new SamplingParameters { MinP = 0.1f } },
        { "typical-p", new SamplingParameters { TypicalP = 0.7f } },
        { "all", new SamplingParameters { TopK = 30, TopP = 0.9f, MinP = 0.01f, TypicalP = 0.9f, BannedTokens = [3], Temperature = 1.2f } },
    };

    /// <summary>Pearson's chi-square over successive positions of one seed: what one long answer draws.</summary>
    [Theory]
    [MemberData(nameof(Chains))]
    public void Frequencies_follow_the_distribution(string name, SamplingParameters parameters)
    {
        const int Draws = 60_000, Vocabulary = 43;
        float[] logits = SamplerCases.Gaussian(new Random(11), Vocabulary, 1.5f);
        SamplingState state = new(parameters, 20240229, [], []);
        double[] expected = [.. PlainSampler.Distribution(PlainSampler.Edit(logits, state), parameters).Select(c => c.Probability * Draws)];
        int[] seen = new int[Vocabulary];
        for (int position = 0; position < Draws; position++) seen[SamplerCases.Sample(logits, state, position).Token]++;

        double chiSquare = 0;
        int degrees = -1;
        for (int token = 0; token < Vocabulary; token++)
        {
            if (expected[token] == 0)
            {
                Assert.True(seen[token] == 0, $"{name}: token {token} is impossible");
                continue;
            }

            chiSquare += (seen[token] - expected[token]) * (seen[token] - expected[token]) / expected[token];
            degrees++;
        }

        // Mean and deviation of chi-square are d and sqrt(2d); four deviations is once in some ten thousand.
        Assert.True(degrees >= 3 && chiSquare < degrees + (4 * Math.Sqrt(2 * degrees)), $"{name}: chi-square {chiSquare} at {degrees} degrees");
    }

    [Fact]
    public void A_large_vocabulary_is_covered_evenly()
    {
        const int Draws = 4000, Vocabulary = 128256, Parts = 16;
        int[] seen = new int[Parts];
        float[] equal = new float[Vocabulary];
        SamplingState state = new(new SamplingParameters(), 5, [], []);
        SampleResult result = new() { Top = [] };
        for (int position = 0; position < Draws; position++)
        {
            new HostSampler().Sample(equal, new LogitsRow { Position = position, Sampling = state }, ref result);
            seen[result.Token / (Vocabulary / Parts)]++;
        }

        double chiSquare = seen.Sum(count => Math.Pow(count - ((double)Draws / Parts), 2) / ((double)Draws / Parts));
        Assert.True(chiSquare < 15 + (4 * Math.Sqrt(30)), $"chi-square {chiSquare}");
    }
}
