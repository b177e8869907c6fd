using System.Diagnostics;
using InferenceServer.Core.Stepping;

namespace InferenceServer.PacedStreams;

/// <summary>
/// A model that costs nothing and answers at the ticks of a clock: each sequence of a step gets a token whose id names the step and whose text is
/// the moment at which the step came back. Sleeps between ticks, so that its wait is no CPU time of the server.
/// </summary>
/// <param name="rate">Steps, and so tokens of each stream, a second.</param>
/// <param name="limits">Sequences, blocks and context.</param>
internal sealed class PacedRunner(int rate, RunnerLimits limits) : IModelRunner
{
    /// <summary>Steps whose texts are kept: a reader that lags by more would read a later stamp. 4,096 are 80 s at 50 a second.</summary>
    public const int Vocabulary = 4096;

    private readonly string[] _texts = new string[Vocabulary];
    private readonly long _period = Stopwatch.Frequency / rate;
    private readonly long _start = Stopwatch.GetTimestamp();
    private StepPlan? _plan;

    public RunnerLimits Limits { get; } = limits;

    /// <summary>What a token reads as.</summary>
    public string TextOf(int token) => _texts[token];

    public void Launch(StepPlan plan) => _plan = plan;

    public void Await(StepResult result)
    {
        SleepUntilTick();
        StepPlan plan = _plan!;
        int token = (int)(plan.StepIndex % Vocabulary);
        for (int i = 0; i < plan.RowCount; i++)
        {
            ref SampleResult row = ref result.Rows[i];
            (row.Token, row.Logprob, row.Rank, row.TopCount, row.Failed) = (token, float.NaN, 0, 0, false);
        }

        _texts[token] = Stamp.Format(Stopwatch.GetTimestamp());
    }

    public void Dispose()
    {
    }

    /// <summary>Ticks lie on a grid: a late step shortens the next wait instead of moving all that follow.</summary>
    private void SleepUntilTick()
    {
        long now = Stopwatch.GetTimestamp();
        long tick = _start + ((now - _start) / _period + 1) * _period;
        for (; now < tick; now = Stopwatch.GetTimestamp())
            Thread.Sleep((int)Math.Ceiling((tick - now) * 1e3 / Stopwatch.Frequency)); // up to 1 ms late: spinning would be CPU time
    }
}
