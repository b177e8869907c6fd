namespace InferenceServer.Core.Requests;

public enum TokenEventKind
{
    /// <summary>One generated token of one choice.</summary>
    Token,

    /// <summary>One choice ended. The last event of that choice.</summary>
    ChoiceFinished,

    /// <summary>Log-probabilities of the prompt; comes once, before the first token, when asked for.</summary>
    Prompt,

    /// <summary>The whole request ended. The last event of all; the channel completes after it.</summary>
    Finished,
}

/// <summary>A candidate token and its log-probability (natural log).</summary>
public readonly record struct TokenLogprob(int Token, float Logprob);

/// <summary>What one request receives from the engine, in order.</summary>
public readonly record struct TokenEvent
{
    public TokenEventKind Kind { get; init; }

    public int Choice { get; init; }

    /// <summary>Kind Token: the id. A stop token is reported too, as the token before its ChoiceFinished.</summary>
    public int Token { get; init; }

    /// <summary>Kind Token with logprobs asked for: of the raw distribution (before temperature and filters).</summary>
    public float Logprob { get; init; }

    /// <summary>Most likely first; null unless asked for.</summary>
    public TokenLogprob[]? TopLogprobs { get; init; }

    /// <summary>Kind Prompt: one a prompt token; the first has no predecessor and is NaN.</summary>
    public PromptLogprob[]? PromptLogprobs { get; init; }

    public FinishReason FinishReason { get; init; }

    /// <summary>When the engine knew it, on its TimeProvider's clock.</summary>
    public long Timestamp { get; init; }

    /// <summary>Kind ChoiceFinished with reason Error: a sentence for the caller.</summary>
    public string? Error { get; init; }

    /// <summary>Kind Finished: counts and times of the whole request.</summary>
    public RequestSummary? Summary { get; init; }
}

/// <summary>One prompt token's log-probability and alternatives.</summary>
public readonly record struct PromptLogprob(int Token, float Logprob, TokenLogprob[]? Top);
