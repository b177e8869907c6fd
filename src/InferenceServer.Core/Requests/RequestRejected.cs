namespace InferenceServer.Core.Requests;

/// <summary>Which of the caller's or the server's limits said no. The front hall maps it to a status.</summary>
public enum RejectionKind
{
    /// <summary>400: the request itself is wrong.</summary>
    Invalid,

    /// <summary>401: no key, or not one of ours.</summary>
    Unauthenticated,

    /// <summary>404: no such model.</summary>
    NotFound,

    /// <summary>413: larger than a limit on bytes.</summary>
    TooLarge,

    /// <summary>429: too many requests from this caller.</summary>
    RateLimited,

    /// <summary>503: queue full, loading or draining. Try again.</summary>
    Unavailable,

    /// <summary>408/DEADLINE_EXCEEDED: would not, or did not, finish in time.</summary>
    DeadlineExceeded,

    /// <summary>500: ours.</summary>
    Internal,
}

/// <summary>
/// The caller's fault or the server's state, as a value and never an exception: what, where, and a sentence that says how to mend it.
/// <paramref name="Code"/> and <paramref name="Param"/> are OpenAI's words (<c>context_length_exceeded</c>, <c>messages</c>).
/// </summary>
public sealed record RequestRejected(RejectionKind Kind, string Code, string? Param, string Message)
{
    /// <summary>With Unavailable and RateLimited: when to come back.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
