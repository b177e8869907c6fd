namespace InferenceServer.Cuda.Kernels;

/// <summary>The head sizes that attention is compiled for; smaller ones run in the next one, zero filled.</summary>
internal static class HeadSizes
{
    public const int Largest = 256;

    /// <summary>Elements that a kernel loads at once: a head is a whole number of them.</summary>
    public const int Multiple = 8;

    /// <exception cref="ArgumentOutOfRangeException">Too large, or not a multiple of <see cref="Multiple"/>.</exception>
    public static int Compiled(int headDim) => headDim switch
    {
        <= 0 or > Largest => throw new ArgumentOutOfRangeException(nameof(headDim), headDim, $"Attention is compiled for head sizes up to {Largest}."),
        _ when headDim % Multiple != 0 => throw new ArgumentOutOfRangeException(nameof(headDim), headDim, $"Attention takes head sizes that are a multiple of {Multiple}."),
        <= 32 => 32,
        <= 64 => 64,
        <= 128 => 128,
        _ => 256,
    };
}
