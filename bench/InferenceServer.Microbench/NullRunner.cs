using InferenceServer.Core.Stepping;

namespace InferenceServer.Microbench;

/// <summary>A model that takes no time and always says the same token.</summary>
internal sealed class NullRunner(RunnerLimits limits) : IModelRunner
{
    private StepPlan? _plan;

    public RunnerLimits Limits { get; } = limits;

    public void Launch(StepPlan plan) => _plan = plan;

    public void Await(StepResult result)
    {
        for (int i = 0; i < _plan!.RowCount; i++)
        {
            ref SampleResult row = ref result.Rows[i];
            (row.Token, row.Logprob, row.TopCount, row.Failed) = (1, float.NaN, 0, false);
        }
    }

    public void Dispose()
    {
    }
}
