using System.Diagnostics;
using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Models.Architectures;

namespace InferenceServer.Models.Running;

/// <summary>A transformer on a compute backend as the engine sees it. Owned by the engine thread; owns its backend.</summary>
internal sealed class TransformerRunner(IComputeBackend backend, ITransformer transformer, KvCache cache, RunnerLimits limits) : IModelRunner
{
    private StepPlan? _launched;

    public RunnerLimits Limits { get; } = limits;

    public void Launch(StepPlan plan)
    {
        Debug.Assert(_launched is null, "a step was launched before the last one was awaited");
        Debug.Assert(plan.TokenCount > 0 && plan.TokenCount <= Limits.MaxTokensPerStep, "token count out of range");
        Debug.Assert(plan.SequenceCount <= Limits.MaxSequencesPerStep && plan.RowCount <= Limits.MaxRowsPerStep, "plan too large");
        _launched = plan;
        backend.BeginStep(plan, cache);
        transformer.Forward(plan);
    }

    public void Await(StepResult result)
    {
        Debug.Assert(_launched is not null, "awaited without a launch");
        if (_launched.RowCount > 0) backend.Sample(transformer.Logits, result);
        backend.EndStep();
        _launched = null;
    }

    public void Dispose() => backend.Dispose();
}
