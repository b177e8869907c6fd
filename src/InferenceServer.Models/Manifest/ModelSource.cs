namespace InferenceServer.Models.Manifest;

/// <summary>Where a model comes from.</summary>
public sealed record ModelSource
{
    /// <summary>"builtin": made in this repository; "huggingface": a repository there.</summary>
    public required string Kind { get; init; }

    /// <summary>How a built-in model was made.</summary>
    public string? Detail { get; init; }

    /// <summary>owner/name.</summary>
    public string? Repository { get; init; }

    /// <summary>A commit; null: not pinned.</summary>
    public string? Revision { get; init; }
}
