using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace InferenceServer.CpuBench.Runs;

/// <summary>
/// How fast this machine's processors read memory: all threads add up slices of a buffer far larger than the caches, by turns as the processor fetches them
/// itself and with lines asked for ahead; the faster way counts (on Intel's processors the second, on AMD's the first). The median of a second of passes: a
/// shared machine has bursts of twice that, which no run of seconds sees.
/// </summary>
internal static unsafe partial class BandwidthProbe
{
    private const nuint HugePage = 2 << 20;
    private const int AdviseHugePages = 14; // MADV_HUGEPAGE
    private const int Passes = 32;

    /// <summary>Bytes a second.</summary>
    public static double Measure(int threads, long bytes = 1L << 30)
    {
        nuint size = (nuint)bytes / ((nuint)threads * HugePage) * ((nuint)threads * HugePage), slice = size / (nuint)threads;
        byte* buffer = (byte*)NativeMemory.AlignedAlloc(size, HugePage);
        try
        {
            if (OperatingSystem.IsLinux()) _ = Advise(buffer, size, AdviseHugePages); // refused: small pages, a slower probe, still a true one
            List<double>[] rates = [[], []];
            for (int pass = 0; pass <= 2 * Passes; pass++)
            {
                bool first = pass == 0, ahead = pass % 2 != 0; // each thread writes what it will read
                double seconds = OnThreads(threads, thread =>
                {
                    byte* begin = buffer + (nuint)thread * slice;
                    if (first) NativeMemory.Fill(begin, slice, 1);
                    else Check(Sum(begin, slice, ahead), slice);
                });
                if (!first) rates[pass % 2].Add(size / seconds);
            }

            return rates.Max(r => Median.Of(r)!.Value);
        }
        finally
        {
            NativeMemory.AlignedFree(buffer);
        }
    }

    /// <summary>Seconds from the moment all threads may start until the last is done.</summary>
    private static double OnThreads(int threads, Action<int> work)
    {
        using Barrier start = new(threads + 1);
        Thread[] all = new Thread[threads];
        for (int i = 0; i < threads; i++)
        {
            int thread = i;
            all[i] = new Thread(() =>
            {
                start.SignalAndWait();
                work(thread);
            });
            all[i].Start();
        }

        start.SignalAndWait();
        long started = Stopwatch.GetTimestamp();
        foreach (Thread thread in all) thread.Join();
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveOptimization)]
    private static ulong Sum(byte* begin, nuint bytes, bool ahead)
    {
        // Four chains, so that the additions never wait for each other. 512-bit vectors are two 256-bit ones where there are none.
        Vector512<ulong> a = default, b = default, c = default, d = default;
        ulong* p = (ulong*)begin, end = p + bytes / sizeof(ulong);
        for (; p < end; p += 32)
        {
            if (ahead && Sse.IsSupported)
            {
                for (int line = 0; line < 4; line++)
                {
                    Sse.Prefetch0((byte*)p + 2048 + line * 64);
                    Sse.Prefetch1((byte*)p + 8192 + line * 64); // past the end it is harmless
                }
            }

            a += Vector512.Load(p);
            b += Vector512.Load(p + 8);
            c += Vector512.Load(p + 16);
            d += Vector512.Load(p + 24);
        }

        return Vector512.Sum(a + b + c + d);
    }

    private static void Check(ulong sum, nuint bytes)
    {
        if (sum != unchecked(bytes / sizeof(ulong) * 0x0101010101010101ul)) throw new InvalidOperationException("The probe did not read what it wrote.");
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(byte* address, nuint length, int advice);
}
