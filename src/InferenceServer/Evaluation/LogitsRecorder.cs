using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Sampling;

namespace InferenceServer.Evaluation;

/// <summary>
/// The host's sampler, which also keeps the logits that prompt tokens are scored by. One prompt at a time may be scored; rows of tokens to be chosen
/// pass by. Thread-safe as samplers are: rows of distinct positions may come at once.
/// </summary>
internal sealed class LogitsRecorder : ISampler
{
    private readonly HostSampler _sampler = new();
    private float[]?[] _rows = [];
    private int _firstKept;

    /// <summary>The logits (vocabulary) that predict the token at a position; null if they were not asked for or have not come.</summary>
    public float[]? this[int position] => _rows[position];

    /// <summary>Forgets what it has; from here on it keeps what predicts the tokens at these positions.</summary>
    public void Begin(int firstKept, int tokens) => (_rows, _firstKept) = (new float[tokens][], firstKept);

    public void Sample(Span<float> logits, in LogitsRow row, ref SampleResult result)
    {
        if (row.Kind == LogitsRowKind.Score && row.Position >= _firstKept) _rows[row.Position] = logits.ToArray();
        _sampler.Sample(logits, in row, ref result);
    }
}
