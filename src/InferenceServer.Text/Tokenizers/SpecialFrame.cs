namespace InferenceServer.Text.Tokenizers;

/// <summary>The ids that the post-processor puts around a text (BOS, EOS and the like).</summary>
internal sealed record SpecialFrame(int[] Before, int[] After)
{
    public static readonly SpecialFrame Empty = new([], []);

    /// <summary>This frame around what <paramref name="outer"/> goes around.</summary>
    public SpecialFrame Within(SpecialFrame outer) => new([.. outer.Before, .. Before], [.. After, .. outer.After]);
}
