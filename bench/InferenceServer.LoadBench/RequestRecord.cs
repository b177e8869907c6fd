namespace InferenceServer.LoadBench;

/// <summary>What one request experienced, as its client saw it. Seconds.</summary>
internal sealed class RequestRecord
{
    public required int Index { get; init; }

    /// <summary>Null: answered whole. Otherwise why not.</summary>
    public string? Error { get; set; }

    /// <summary>From sending to the last byte.</summary>
    public double EndToEnd { get; set; }

    public double TimeToFirstToken { get; set; }

    /// <summary>Gaps between chunks that carried text.</summary>
    public List<double> InterTokenLatencies { get; } = [];

    public int PromptTokens { get; set; }

    public int CachedTokens { get; set; }

    /// <summary>By the server's usage; chunks counted where it sends none.</summary>
    public int CompletionTokens { get; set; }

    public bool Succeeded => Error is null;

    /// <summary>Null for fewer than two tokens.</summary>
    public double? TimePerOutputToken => CompletionTokens > 1 ? (EndToEnd - TimeToFirstToken) / (CompletionTokens - 1) : null;
}
