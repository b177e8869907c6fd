namespace InferenceServer.Core.Stepping;

/// <summary>
/// Random numbers without state: a function of (seed, position), so that the same request draws the same numbers
/// alone, in any batch and after preemption. Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011),
/// chosen because a GPU computes it as cheaply as a CPU.
/// </summary>
public static class CounterRandom
{
    private const uint Multiplier0 = 0xD2511F53, Multiplier1 = 0xCD9E8D57; // the paper's constants
    private const uint Weyl0 = 0x9E3779B9, Weyl1 = 0xBB67AE85;

    /// <summary>Uniform in [0, 1) with 24 bits. <paramref name="draw"/> tells several draws at one position apart.</summary>
    public static float Uniform(ulong seed, long position, uint draw = 0) => (Bits(seed, position, draw) >> 8) * (1f / (1 << 24));

    /// <summary>32 random bits: the first word of <see cref="Block"/>.</summary>
    public static uint Bits(ulong seed, long position, uint draw) => Philox(seed, position, draw).Word0;

    /// <summary>128 random bits, all that one call of the generator makes. The GPU's sampling kernel computes the same.</summary>
    /// <param name="words">(4)</param>
    public static void Block(ulong seed, long position, uint draw, Span<uint> words) =>
        (words[0], words[1], words[2], words[3]) = Philox(seed, position, draw);

    private static (uint Word0, uint Word1, uint Word2, uint Word3) Philox(ulong seed, long position, uint draw)
    {
        uint c0 = (uint)position, c1 = (uint)((ulong)position >> 32), c2 = draw, c3 = 0;
        uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
        for (int round = 0; round < 10; round++)
        {
            ulong p0 = (ulong)Multiplier0 * c0, p1 = (ulong)Multiplier1 * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            k0 += Weyl0;
            k1 += Weyl1;
        }

        return (c0, c1, c2, c3);
    }

    /// <summary>The seed of a request's choice: choice 0 keeps the request's own.</summary>
    public static ulong ChoiceSeed(ulong seed, int choice) =>
        choice == 0 ? seed : ((ulong)Bits(seed, choice, 0xC01CE) << 32) | Bits(seed, choice, 0xC01CF);
}
