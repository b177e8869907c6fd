using InferenceServer.Core.Requests;

namespace InferenceServer.Generation;

internal enum TextEventKind
{
    /// <summary>A generated token and the text that became certain with it (often empty).</summary>
    Delta,

    /// <summary>The last event of a choice; Text holds what was held back and turned out to be no stop string.</summary>
    ChoiceFinished,

    /// <summary>Prompt log-probabilities, before any delta, when asked for.</summary>
    Prompt,

    /// <summary>The last event.</summary>
    Finished,
}

/// <summary>What a door writes to its client, in order.</summary>
internal readonly record struct TextEvent
{
    public TextEventKind Kind { get; init; }

    public int Choice { get; init; }

    /// <summary>Never null in Delta and ChoiceFinished; never ends inside a character.</summary>
    public string Text { get; init; }

    /// <summary>Delta: the token's id. A stop token ends a choice without a Delta.</summary>
    public int Token { get; init; }

    public float Logprob { get; init; }

    public TokenLogprob[]? TopLogprobs { get; init; }

    public PromptLogprob[]? PromptLogprobs { get; init; }

    public FinishReason FinishReason { get; init; }

    /// <summary>ChoiceFinished by a stop string: which.</summary>
    public string? StopString { get; init; }

    /// <summary>ChoiceFinished by a caller's stop token: which.</summary>
    public int? StopToken { get; init; }

    /// <summary>ChoiceFinished by the model's own end of sequence: which id. With it or a stop token, Logprob and TopLogprobs are that token's.</summary>
    public int? EndToken { get; init; }

    /// <summary>ChoiceFinished with reason Cancelled: somebody asked for it by the request's id.</summary>
    public bool IsAborted { get; init; }

    /// <summary>ChoiceFinished with reason Error or Deadline: a sentence.</summary>
    public string? Error { get; init; }

    public RequestSummary? Summary { get; init; }
}
