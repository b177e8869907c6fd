namespace InferenceServer.Core.Requests;

/// <summary>The engine's one door. All members are thread-safe.</summary>
public interface IEngine
{
    /// <summary>
    /// Takes a request or says at once why not: queue full (requests or tokens), draining, unhealthy, longer than the context or
    /// the whole KV pool, a deadline that has passed. Never blocks on a step.
    /// </summary>
    Submission Submit(EngineRequest request);

    /// <summary>A consistent copy, at most one step old. Never waits for a step.</summary>
    EngineStatus Status { get; }

    /// <summary>Stops admission and completes when everything accepted has ended, or cancels the rest when the token fires.</summary>
    Task DrainAsync(CancellationToken deadline);
}

/// <summary>What metrics and health need to know. Immutable.</summary>
public sealed record EngineStatus
{
    public bool Healthy { get; init; } = true;

    /// <summary>Why it is not healthy: call, step and batch.</summary>
    public string? Fault { get; init; }

    public bool Draining { get; init; }

    /// <summary>Sequences in the running set.</summary>
    public int SequencesRunning { get; init; }

    /// <summary>Requests waiting for admission, preempted ones included.</summary>
    public int RequestsWaiting { get; init; }

    /// <summary>Known but not computed tokens of waiting requests.</summary>
    public long TokensWaiting { get; init; }

    public int BlocksTotal { get; init; }

    /// <summary>Blocks held by sequences; cached blocks without an owner count as free.</summary>
    public int BlocksUsed { get; init; }

    /// <summary>Free blocks whose content is still in the prefix cache.</summary>
    public int BlocksCached { get; init; }

    public int BlockSize { get; init; }

    public long StepsTotal { get; init; }

    public long PreemptionsTotal { get; init; }

    public long PromptTokensTotal { get; init; }

    public long CachedTokensTotal { get; init; }

    public long GeneratedTokensTotal { get; init; }

    /// <summary>Tokens looked up in the prefix cache at admission (not at each retry).</summary>
    public long PrefixQueriesTotal { get; init; }

    public long PrefixHitsTotal { get; init; }
}

/// <summary>
/// Hears what happens inside the engine, on the engine's thread: must return in microseconds and never throw.
/// Null when nobody listens.
/// </summary>
public interface IEngineObserver
{
    /// <param name="tokens">Tokens computed in the step.</param>
    /// <param name="sequences">Sequences in the step.</param>
    /// <param name="elapsedTicks">On the engine's clock, from its plan, or from the end of the step before if that came later, to its results.</param>
    void StepFinished(int tokens, int sequences, long elapsedTicks);

    /// <summary>A token was emitted; <paramref name="sincePreviousTicks"/> is 0 for the first of its choice.</summary>
    void TokenEmitted(long sincePreviousTicks);

    void RequestFinished(RequestSummary summary);
}
