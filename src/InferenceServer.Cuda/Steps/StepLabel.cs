using InferenceServer.Core.Stepping;

namespace InferenceServer.Cuda.Steps;

/// <summary>Names a step in the message of a fault. Written when it begins, put into words only when one happens.</summary>
internal sealed class StepLabel
{
    private long _index;
    private int _sequences, _tokens, _rows, _bucket;
    private StepMode _mode;

    public void Set(StepPlan plan, int bucket, StepMode mode) =>
        (_index, _sequences, _tokens, _rows, _bucket, _mode) = (plan.StepIndex, plan.SequenceCount, plan.TokenCount, plan.RowCount, bucket, mode);

    public override string ToString() =>
        $"step {_index} (batch of {_sequences} sequences, {_tokens} tokens, {_rows} rows{(_bucket == 0 ? "" : $"; {_mode.ToString().ToLowerInvariant()} in the bucket of {_bucket}")})";
}
