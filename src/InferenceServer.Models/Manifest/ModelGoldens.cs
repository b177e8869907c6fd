namespace InferenceServer.Models.Manifest;

/// <summary>Questions with known answers.</summary>
/// <param name="File">Relative to the manifest's folder.</param>
/// <param name="MinimumShare">Of answers that must be right, 0 to 1.</param>
public sealed record ModelGoldens(string File, double MinimumShare);
