namespace InferenceServer.Engine.Sampling;

/// <summary>
/// One thread's working memory: arrays that only grow, so that a warm sampler allocates nothing. About 512 kB each for
/// a vocabulary of 128k; those of features that a server never uses are never made. Contents never outlive one row.
/// </summary>
internal sealed class SamplerScratch
{
    [ThreadStatic]
    private static SamplerScratch? _current;

    private float[] _edited = [], _weights = [], _keys = [], _masses = [], _largest = [];
    private double[] _blockSums = [];
    private int[] _ids = [];

    public static SamplerScratch Current => _current ??= new SamplerScratch();

    /// <summary>(vocabulary) The logits that the chain edits when the raw ones must be kept.</summary>
    public Span<float> Edited(int length) => Grow(ref _edited, length);

    /// <summary>(vocabulary) Unnormalised probabilities; 0 = impossible.</summary>
    public Span<float> Weights(int length) => Grow(ref _weights, length);

    /// <summary>What a selection orders by; it is consumed.</summary>
    public Span<float> Keys(int length) => Grow(ref _keys, length);

    /// <summary>What a selection adds up; it is consumed.</summary>
    public Span<float> Masses(int length) => Grow(ref _masses, length);

    /// <summary>The largest values met so far.</summary>
    public Span<float> Largest(int length) => Grow(ref _largest, length);

    public Span<double> BlockSums(int length) => Grow(ref _blockSums, length);

    public Span<int> Ids(int length) => Grow(ref _ids, length);

    private static Span<T> Grow<T>(ref T[] array, int length)
    {
        if (array.Length < length) array = new T[length];
        return array.AsSpan(0, length);
    }
}
