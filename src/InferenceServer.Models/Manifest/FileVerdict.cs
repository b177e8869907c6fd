namespace InferenceServer.Models.Manifest;

/// <summary>What the check of one file found.</summary>
/// <param name="Path">As in the manifest, or the name of a file that the manifest lacks.</param>
/// <param name="Problem">Null: it is what the manifest says. Otherwise the end of a sentence that begins with the path.</param>
public sealed record FileVerdict(string Path, string? Problem);
