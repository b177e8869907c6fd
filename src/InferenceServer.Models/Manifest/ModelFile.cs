namespace InferenceServer.Models.Manifest;

/// <summary>A file and what it must be.</summary>
/// <param name="Path">Below the model's folder, with forward slashes.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">64 lower-case hexadecimal digits.</param>
public sealed record ModelFile(string Path, long Bytes, string Sha256);
