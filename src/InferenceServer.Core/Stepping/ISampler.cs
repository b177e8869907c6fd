namespace InferenceServer.Core.Stepping;

/// <summary>
/// Turns a row of logits into a token. Thread-safe: distinct rows may be sampled at the same time.
/// The result depends on the row alone, never on the batch around it.
/// </summary>
public interface ISampler
{
    /// <param name="logits">(vocabulary) Scratch: may be overwritten.</param>
    /// <param name="row">What is wanted.</param>
    /// <param name="result">Overwritten, except for its preallocated Top array.</param>
    void Sample(Span<float> logits, in LogitsRow row, ref SampleResult result);
}
