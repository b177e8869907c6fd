using InferenceServer.Core.Requests;

namespace InferenceServer.Core.Stepping;

/// <summary>What a step found, one a logits row. Allocated once, overwritten each step.</summary>
public sealed class StepResult
{
    public StepResult(int maxRows)
    {
        Rows = new SampleResult[maxRows];
        for (int i = 0; i < maxRows; i++) Rows[i].Top = new TokenLogprob[SamplingParameters.MaxTopLogprobs];
    }

    public SampleResult[] Rows { get; }
}

public struct SampleResult
{
    /// <summary>The chosen token, or the target of a Score row.</summary>
    public int Token;

    /// <summary>Of the raw distribution; NaN when not asked for.</summary>
    public float Logprob;

    /// <summary>1 + how many tokens the raw distribution holds more likely; 0 when no log-probability was asked for.</summary>
    public int Rank;

    /// <summary>How many entries of <see cref="Top"/> are valid, most likely first.</summary>
    public int TopCount;

    /// <summary>Preallocated, <see cref="SamplingParameters.MaxTopLogprobs"/> long.</summary>
    public TokenLogprob[] Top;

    /// <summary>The logits held no usable number (NaN, or nothing allowed): this sequence fails, alone.</summary>
    public bool Failed;
}
