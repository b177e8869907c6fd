using InferenceServer.Core.Requests;
using Xunit;

namespace InferenceServer.Engine.Tests.Simulation;

public class SimulationTests
{
    private const int Scenarios = 10_000;

    /// <summary>To replay one: put its seed here and run this test alone.</summary>
    [Theory]
    [InlineData(0)]
    public void One_scenario(int seed) => Play(seed).Dispose();

    [Fact]
    public void Ten_thousand_random_scenarios_keep_every_invariant_and_give_every_request_its_tokens()
    {
        long preemptions = 0, hits = 0, copies = 0, tokens = 0;
        Dictionary<FinishReason, int> reasons = [];
        for (int seed = 1; seed <= Scenarios; seed++)
        {
            using SimulationRun run = Play(seed);
            preemptions += run.Status.PreemptionsTotal;
            hits += run.Status.PrefixHitsTotal;
            copies += run.Copies;
            tokens += run.Status.GeneratedTokensTotal;
            foreach (FinishReason reason in run.Streams.SelectMany(stream => stream.Reasons))
                reasons[reason] = reasons.GetValueOrDefault(reason) + 1;
        }

        // A simulation that never comes into trouble proves nothing.
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{preemptions} preemptions, {hits} cached tokens, {copies} copies, {tokens} tokens; {string.Join(", ", reasons)}");
        Assert.True(preemptions > 5_000, $"only {preemptions} preemptions");
        Assert.True(hits > 10_000, $"only {hits} cached tokens");
        Assert.True(copies > 2_000, $"only {copies} copies on write");
        foreach (FinishReason reason in Enum.GetValues<FinishReason>())
        {
            if (reason != FinishReason.None) Assert.True(reasons.GetValueOrDefault(reason) > 500, $"only {reasons.GetValueOrDefault(reason)} choices ended with {reason}");
        }
    }

    private static SimulationRun Play(int seed)
    {
        SimulationRun run = new(new Scenario(seed));
        try
        {
            run.Play();
        }
        catch (Exception exception)
        {
            throw new InvalidOperationException($"Scenario with seed {seed}: {exception.Message}", exception);
        }

        return run;
    }
}
