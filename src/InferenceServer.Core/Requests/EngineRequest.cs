namespace InferenceServer.Core.Requests;

/// <summary>
/// One request as the engine sees it: ids in, ids out. Immutable once submitted.
/// The front hall has validated everything that does not depend on the engine's own state.
/// </summary>
public sealed record EngineRequest
{
    public required string RequestId { get; init; }

    /// <summary>At least one token. Not modified by the engine; the caller must not modify it either.</summary>
    public required int[] PromptTokens { get; init; }

    public required SamplingParameters Sampling { get; init; }

    /// <summary>Tokens to generate per choice, at least 0; 0 computes the prompt only (echo with logprobs).</summary>
    public required int MaxTokens { get; init; }

    /// <summary>How many completions share the prompt.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>End-of-sequence and the caller's own stop tokens. Generated ones are not emitted as text but counted.</summary>
    public IReadOnlyList<int> StopTokens { get; init; } = [];

    /// <summary>Whose request this is: the unit of fairness. Never a secret.</summary>
    public string Tenant { get; init; } = "";

    /// <summary>Share of the engine relative to other tenants; positive.</summary>
    public double TenantWeight { get; init; } = 1.0;

    /// <summary>Salts the prefix cache: equal prompts share blocks only under equal salts.</summary>
    public ulong CacheSalt { get; init; }

    /// <summary>Lower runs earlier.</summary>
    public int Priority { get; init; }

    /// <summary>On the engine's <see cref="TimeProvider"/> clock; null never expires.</summary>
    public long? DeadlineTimestamp { get; init; }
}
