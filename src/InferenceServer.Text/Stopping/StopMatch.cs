namespace InferenceServer.Text.Stopping;

/// <summary>What became certain with the text just fed.</summary>
/// <param name="Text">Safe to emit: no stop string can begin in it any more.</param>
/// <param name="Stop">The stop string that was found, or null to go on.</param>
public readonly record struct StopMatch(string Text, string? Stop)
{
    public bool IsStopped => Stop is not null;
}
