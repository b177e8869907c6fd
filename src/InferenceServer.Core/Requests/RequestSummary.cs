namespace InferenceServer.Core.Requests;

/// <summary>
/// What one request cost, from the engine's own timestamps (TimeProvider ticks; 0 = never happened).
/// Written by the engine thread, published once with the Finished event, immutable after that.
/// </summary>
public sealed class RequestSummary
{
    public required string RequestId { get; init; }

    public required string Tenant { get; init; }

    public int PromptTokens { get; set; }

    /// <summary>Prompt tokens whose keys and values were found in the prefix cache at admission.</summary>
    public int CachedTokens { get; set; }

    /// <summary>Over all choices.</summary>
    public int CompletionTokens { get; set; }

    public int Choices { get; set; }

    public int Preemptions { get; set; }

    public FinishReason FinishReason { get; set; }

    public long ArrivedTimestamp { get; set; }

    /// <summary>First time any of its tokens was part of a step.</summary>
    public long ScheduledTimestamp { get; set; }

    public long FirstTokenTimestamp { get; set; }

    public long LastTokenTimestamp { get; set; }

    public long FinishedTimestamp { get; set; }
}
