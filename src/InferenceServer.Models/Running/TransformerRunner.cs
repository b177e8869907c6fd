using System.Diagnostics;
using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Models.Architectures;

namespace InferenceServer.Models.Running;

/// <summary>A transformer on a compute backend as the engine sees it. Owned by the engine thread; owns its backend.</summary>
internal sealed class TransformerRunner(IComputeBackend backend, ITransformer transformer, KvCache cache, RunnerLimits limits) : IModelRunner
{
    private int _inFlight;

    public RunnerLimits Limits { get; } = limits with { MaxStepsInFlight = backend.MaxStepsInFlight };

    public void Launch(StepPlan plan)
    {
        Debug.Assert(_inFlight < Limits.MaxStepsInFlight, "a step was launched before an older one was awaited");
        Debug.Assert(plan.TokenCount > 0 && plan.TokenCount <= Limits.MaxTokensPerStep, "token count out of range");
        Debug.Assert(plan.SequenceCount <= Limits.MaxSequencesPerStep && plan.RowCount <= Limits.MaxRowsPerStep, "plan too large");
        backend.BeginStep(plan, cache);
        transformer.Forward(plan);
        if (plan.RowCount > 0) backend.Sample(transformer.Logits);
        backend.EndStep();
        _inFlight++;
    }

    public void Await(StepResult result)
    {
        Debug.Assert(_inFlight > 0, "awaited without a launch");
        _inFlight--;
        backend.Collect(result);
    }

    public bool CanFeedBack(in LogitsRow row) => backend.CanFeedBack(in row);

    public void Dispose() => backend.Dispose();
}
