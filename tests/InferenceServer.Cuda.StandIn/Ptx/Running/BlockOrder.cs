namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>Hands out the blocks of a grid in an order that the seed decides: steps of a length coprime to their number. Thread-safe.</summary>
internal sealed class BlockOrder
{
    private readonly long _count, _start, _step;
    private long _next = -1;

    public BlockOrder(long count, int seed)
    {
        Random random = new(seed);
        _count = count;
        _start = random.NextInt64(count);
        do _step = 1 + random.NextInt64(count);
        while (Gcd(_step, count) != 1);
    }

    /// <summary>The next block, or -1 when all are handed out.</summary>
    public long Next()
    {
        long n = Interlocked.Increment(ref _next);
        return n >= _count ? -1 : (long)((UInt128)((Int128)n * _step + _start) % (UInt128)_count);
    }

    private static long Gcd(long a, long b) => b == 0 ? a : Gcd(b, a % b);
}
