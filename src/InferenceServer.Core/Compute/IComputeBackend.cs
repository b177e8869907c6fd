using InferenceServer.Core.Stepping;

namespace InferenceServer.Core.Compute;

/// <summary>
/// The fused operations that every architecture is written over. A backend never learns what a Llama is; needs it a bigger
/// fusion, the op grows. Load methods are called at start from one thread; step methods from the engine's thread between
/// <see cref="BeginStep"/> and <see cref="EndStep"/>, and may run asynchronously in order; <see cref="Collect"/> waits for them.
/// Batch invariance: what an op computes for one token does not depend, bit for bit, on the other tokens of the step.
/// </summary>
public interface IComputeBackend : IDisposable
{
    /// <summary>"cpu", "cuda:0".</summary>
    string Name { get; }

    /// <summary>One line for the log: threads, instruction set, memory.</summary>
    string Description { get; }

    /// <summary>
    /// Loads matrices of equal column counts stacked by rows, e.g. q, k, v as one; they may differ in type. The sources may be closed afterwards.
    /// </summary>
    /// <exception cref="NotSupportedException">A sentence: this backend cannot compute with such weights.</exception>
    Matrix LoadMatrix(MatrixUse use, params IReadOnlyList<HostTensor> stacked);

    /// <summary>Loads vectors one after another, e.g. the q, k, v biases as one; widened to f32.</summary>
    WeightVector LoadVector(params IReadOnlyList<HostTensor> concatenated);

    /// <param name="cosines">(positions, rotaryDim / 2)</param>
    /// <param name="sines">(positions, rotaryDim / 2)</param>
    /// <param name="positions">How many positions.</param>
    /// <param name="rotaryDim">Leading dimensions of a head that rotate; pairs are (i, i + rotaryDim / 2).</param>
    RopeTable LoadRope(ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines, int positions, int rotaryDim);

    Activation AllocateActivation(int maxRows, int columns, ActivationUse use = ActivationUse.Hidden);

    KvCache AllocateKvCache(KvCacheShape shape);

    /// <summary>Steps that may be begun before the oldest is collected.</summary>
    int MaxStepsInFlight => 1;

    /// <summary>See <see cref="IModelRunner.CanFeedBack"/>.</summary>
    bool CanFeedBack(in LogitsRow row) => false;

    /// <summary>Takes the step's inputs and performs its block copies on <paramref name="cache"/>.</summary>
    void BeginStep(StepPlan plan, KvCache cache);

    /// <summary>hidden[t] = table[plan.TokenIds[t]].</summary>
    void Embed(Matrix table, Activation hidden);

    /// <summary>output = input / rms(input) * gain, per row.</summary>
    void RmsNorm(Activation input, WeightVector gain, float epsilon, Activation output);

    /// <summary>residual += delta; output = residual / rms(residual) * gain, per row.</summary>
    void AddRmsNorm(Activation residual, Activation delta, WeightVector gain, float epsilon, Activation output);

    /// <summary>output = input * weight^T (+ bias).</summary>
    void Project(Activation input, Matrix weight, WeightVector? bias, Activation output);

    /// <summary>In place on qkv: optional per-head norm of q and k, then RoPE at plan.Positions; stores k and v at plan.Slots.</summary>
    void RopeAndStoreKv(Activation qkv, AttentionShape shape, RopeTable rope, QkNorm? norm, KvCache cache, int layer);

    /// <summary>Causal softmax attention of each token over its sequence's stored keys and values. output: (tokens, QueryColumns).</summary>
    void PagedAttention(Activation qkv, AttentionShape shape, KvCache cache, int layer, Activation output);

    /// <summary>output = silu(input * gate^T) * (input * up^T), where <paramref name="gateUp"/> stacks gate over up. output: (rows, gateUp.Rows / 2).</summary>
    void GateUpSilu(Activation input, Matrix gateUp, Activation output);

    /// <summary>selected[r] = hidden[plan.Rows[r].Token].</summary>
    void SelectRows(Activation hidden, Activation selected);

    /// <summary>Chooses a token per row of the plan from logits (rows, vocabulary), which may be overwritten. The last op of a step that has rows.</summary>
    void Sample(Activation logits);

    /// <summary>Every op of the step was issued.</summary>
    void EndStep();

    /// <summary>Waits for the oldest step that was ended and not collected, and fills one result a row. Its plan is free afterwards.</summary>
    void Collect(StepResult result);
}
