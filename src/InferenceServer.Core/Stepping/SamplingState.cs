using InferenceServer.Core.Requests;

namespace InferenceServer.Core.Stepping;

/// <summary>
/// What choosing a sequence's next token depends on, besides the logits. Owned by the engine thread,
/// which calls <see cref="Accept"/> between steps; samplers only read it.
/// </summary>
public sealed class SamplingState
{
    public SamplingState(SamplingParameters parameters, ulong seed, IReadOnlyList<int> stopTokens, ReadOnlySpan<int> promptTokens)
    {
        Parameters = parameters;
        Seed = seed;
        StopTokens = stopTokens;
        if (parameters.PresencePenalty != 0 || parameters.FrequencyPenalty != 0 || parameters.RepetitionPenalty != 1f)
        {
            Counts = [];
            if (parameters.RepetitionPenalty != 1f)
                foreach (int token in promptTokens) Counts.TryAdd(token, 0);
        }
    }

    public SamplingParameters Parameters { get; }

    public ulong Seed { get; }

    /// <summary>Impossible until MinTokens were generated.</summary>
    public IReadOnlyList<int> StopTokens { get; }

    /// <summary>Tokens accepted so far.</summary>
    public int GeneratedTokens { get; private set; }

    /// <summary>Token to times generated; prompt tokens stand with 0. Null when no penalty is on.</summary>
    public Dictionary<int, int>? Counts { get; }

    /// <summary>Records a generated token.</summary>
    public void Accept(int token)
    {
        GeneratedTokens++;
        if (Counts is not null) Counts[token] = Counts.GetValueOrDefault(token) + 1;
    }
}
