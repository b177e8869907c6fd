using InferenceServer.Evaluation;

namespace InferenceServer.Tests.Evaluation;

/// <summary>Figures of eval --against f32 on distributions whose divergence is known.</summary>
public class DivergenceTests
{
    [Fact]
    public void Probabilities_that_are_known_give_the_divergence_that_is_known()
    {
        Divergence divergence = new();
        divergence.Add(Logits(0.5, 0.25, 0.25), Logits(0.25, 0.5, 0.25), target: 0); // other top token
        divergence.Add(Logits(0.5, 0.25, 0.25), Logits(0.5, 0.25, 0.25), target: 1);
        double first = 0.5 * Math.Log(0.5 / 0.25) + 0.25 * Math.Log(0.25 / 0.5);
        Assert.Equal(2, divergence.Positions);
        Assert.Equal(first / 2, divergence.MeanKl, 1e-7);
        Assert.Equal(first, divergence.MaxKl, 1e-7);
        Assert.Equal(first, divergence.Kl99, 1e-7);
        Assert.Equal(0.5, divergence.TopAgreement);
        Assert.Equal(Math.Log(2) / 2, divergence.MeanChange, 1e-7);
        Assert.Equal(Math.Exp(-(Math.Log(0.5) + Math.Log(0.25)) / 2), divergence.ReferencePerplexity, 1e-6);
        Assert.Equal(4, divergence.AskedPerplexity, 1e-6);
    }

    [Fact]
    public void Of_a_hundred_positions_the_worst_is_above_the_99th()
    {
        Divergence divergence = new();
        for (int i = 0; i < 99; i++) divergence.Add([1, 2, 3], [1, 2, 3], 0);
        divergence.Add([1, 2, 3], [3, 2, 1], 0);
        Assert.Equal(0, divergence.Kl99);
        Assert.InRange(divergence.MaxKl, 0.1, 10);
        Assert.Equal(0.99, divergence.TopAgreement, 1e-12);
    }

    [Fact]
    public void Impossible_tokens_cost_nothing_and_a_constant_changes_nothing()
    {
        Divergence divergence = new();
        divergence.Add([5, float.NegativeInfinity, 7], [105, float.NegativeInfinity, 107], 2);
        Assert.Equal(0, divergence.MeanKl, 1e-12);
        divergence.Add([5, 6], [5, float.NegativeInfinity], 0);
        Assert.Equal(double.PositiveInfinity, divergence.MaxKl);
    }

    private static float[] Logits(params double[] probabilities) => [.. probabilities.Select(p => (float)Math.Log(p) + 3)];
}
