using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Models.Architectures;

/// <summary>A loaded model as a sequence of backend ops. Owned by the engine thread.</summary>
internal interface ITransformer
{
    /// <summary>(rows of the plan, vocabulary) Valid after <see cref="Forward"/> of a plan with rows.</summary>
    Activation Logits { get; }

    /// <summary>Issues one step's ops, between the backend's BeginStep and EndStep.</summary>
    void Forward(StepPlan plan);
}
