using InferenceServer.Core.Requests;
using Xunit;

namespace InferenceServer.Engine.Tests.Simulation;

public class SimulationTests
{
    private const int Scenarios = 10_000, ScenariosWithTwoInFlight = 6_000;

    /// <summary>To replay one: put its seed here and run this test alone.</summary>
    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 2)]
    public void One_scenario(int seed, int stepsInFlight) => Play(seed, stepsInFlight).Dispose();

    [Fact]
    public void Ten_thousand_random_scenarios_keep_every_invariant_and_give_every_request_its_tokens()
    {
        Totals totals = PlayAll(Scenarios, stepsInFlight: 1);
        Assert.Equal((0, 0), (totals.StepsOverlapped, totals.TokensFedBack));
        totals.AssertTrouble(preemptions: 5_000, hits: 10_000, copies: 2_000, ends: 500);
    }

    [Fact]
    public void Thousands_of_random_scenarios_with_two_steps_in_flight_give_every_request_the_same_tokens()
    {
        Totals totals = PlayAll(ScenariosWithTwoInFlight, stepsInFlight: 2);
        totals.AssertTrouble(preemptions: 2_500, hits: 6_000, copies: 1_200, ends: 300);
        Assert.True(totals.StepsOverlapped > totals.Steps / 2, $"only {totals.StepsOverlapped} of {totals.Steps} steps were launched ahead");
        Assert.True(totals.TokensFedBack > totals.Tokens / 2, $"only {totals.TokensFedBack} of {totals.Tokens} tokens were fed back");
    }

    private static Totals PlayAll(int scenarios, int stepsInFlight)
    {
        Totals totals = new();
        for (int seed = 1; seed <= scenarios; seed++)
        {
            using SimulationRun run = Play(seed, stepsInFlight);
            totals.Add(run);
        }

        TestContext.Current.TestOutputHelper?.WriteLine(totals.ToString());
        return totals;
    }

    private static SimulationRun Play(int seed, int stepsInFlight)
    {
        SimulationRun run = new(new Scenario(seed, stepsInFlight));
        try
        {
            run.Play();
        }
        catch (Exception exception)
        {
            throw new InvalidOperationException($"Scenario with seed {seed} and {stepsInFlight} in flight: {exception.Message}", exception);
        }

        return run;
    }

    /// <summary>A simulation that never comes into trouble proves nothing.</summary>
    private sealed class Totals
    {
        private readonly Dictionary<FinishReason, int> _reasons = [];
        private long _preemptions, _hits, _copies;

        public long Steps { get; private set; }

        public long Tokens { get; private set; }

        public long StepsOverlapped { get; private set; }

        public long TokensFedBack { get; private set; }

        public void Add(SimulationRun run)
        {
            _preemptions += run.Status.PreemptionsTotal;
            _hits += run.Status.PrefixHitsTotal;
            _copies += run.Runner.Copies;
            Steps += run.Status.StepsTotal;
            Tokens += run.Status.GeneratedTokensTotal;
            StepsOverlapped += run.Runner.StepsOverlapped;
            TokensFedBack += run.Runner.TokensFedBack;
            foreach (FinishReason reason in run.Streams.SelectMany(stream => stream.Reasons))
                _reasons[reason] = _reasons.GetValueOrDefault(reason) + 1;
        }

        public void AssertTrouble(int preemptions, int hits, int copies, int ends)
        {
            Assert.True(_preemptions > preemptions, $"only {_preemptions} preemptions");
            Assert.True(_hits > hits, $"only {_hits} cached tokens");
            Assert.True(_copies > copies, $"only {_copies} copies on write");
            foreach (FinishReason reason in Enum.GetValues<FinishReason>())
            {
                if (reason != FinishReason.None) Assert.True(_reasons.GetValueOrDefault(reason) > ends, $"only {_reasons.GetValueOrDefault(reason)} choices ended with {reason}");
            }
        }

        public override string ToString() =>
            $"{Steps} steps, {StepsOverlapped} launched ahead, {_preemptions} preemptions, {_hits} cached tokens, {_copies} copies, {Tokens} tokens, {TokensFedBack} fed back; {string.Join(", ", _reasons)}";
    }
}
