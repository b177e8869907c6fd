using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Cache;

/// <summary>
/// CRC-32C of each mebibyte, in quarters side by side: one chain of the instruction waits for itself two cycles of three. The checksum of a section is the
/// CRC-32C of all of these. It finds damage, not forgery. Items: mebibytes.
/// </summary>
internal sealed unsafe class ChecksumJob : ParallelJob
{
    private const int ChunkBytes = 1 << 20;
    private const int Quarters = 4;

    private readonly byte* _start;
    private readonly long _bytes;
    private readonly uint[] _sums;

    private ChecksumJob(byte* start, long bytes)
    {
        _start = start;
        _bytes = bytes;
        _sums = new uint[checked((int)((bytes + ChunkBytes - 1) / ChunkBytes)) * Quarters];
    }

    /// <param name="pool">Its threads read.</param>
    /// <param name="start">Aligned to 8.</param>
    /// <param name="bytes">A multiple of 64, as every group of 16 rows is.</param>
    public static uint Of(ForkJoinPool pool, byte* start, long bytes)
    {
        ChecksumJob job = new(start, bytes);
        pool.Run(job, job._sums.Length / Quarters, 1, bytes);
        uint sum = 0;
        foreach (ulong pair in MemoryMarshal.Cast<uint, ulong>(job._sums)) sum = BitOperations.Crc32C(sum, pair);
        return sum;
    }

    public override void Execute(int begin, int end, int worker)
    {
        for (int chunk = begin; chunk < end; chunk++)
        {
            long offset = (long)chunk * ChunkBytes;
            Sum((ulong*)(_start + offset), Math.Min(ChunkBytes, _bytes - offset) / (Quarters * sizeof(ulong)), _sums.AsSpan(chunk * Quarters, Quarters));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sum(ulong* values, long count, Span<uint> sums)
    {
        uint a = 0, b = 0, c = 0, d = 0;
        for (long i = 0; i < count; i++, values++)
        {
            a = BitOperations.Crc32C(a, values[0]);
            b = BitOperations.Crc32C(b, values[count]);
            c = BitOperations.Crc32C(c, values[2 * count]);
            d = BitOperations.Crc32C(d, values[3 * count]);
        }

        (sums[0], sums[1], sums[2], sums[3]) = (a, b, c, d);
    }
}
