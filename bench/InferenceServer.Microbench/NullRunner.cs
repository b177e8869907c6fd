using InferenceServer.Core.Stepping;

namespace InferenceServer.Microbench;

/// <summary>A model that takes no time and always says the same token, on a device with one or two steps in flight.</summary>
internal sealed class NullRunner(RunnerLimits limits) : IModelRunner
{
    private readonly Queue<StepPlan> _plans = new(limits.MaxStepsInFlight);

    public RunnerLimits Limits { get; } = limits;

    public void Launch(StepPlan plan) => _plans.Enqueue(plan);

    public bool CanFeedBack(in LogitsRow row) => true;

    public void Await(StepResult result)
    {
        StepPlan plan = _plans.Dequeue();
        for (int i = 0; i < plan.RowCount; i++)
        {
            ref SampleResult row = ref result.Rows[i];
            (row.Token, row.Logprob, row.TopCount, row.Failed) = (1, float.NaN, 0, false);
        }
    }

    public void Dispose()
    {
    }
}
