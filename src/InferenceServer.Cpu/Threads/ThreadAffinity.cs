using System.Runtime.InteropServices;

namespace InferenceServer.Cpu.Threads;

/// <summary>
/// Which processors the calling thread may run on. The system may refuse (a container's filter, a cpuset that has changed since the start): that costs
/// speed, never correctness. Linux only; elsewhere everything is refused.
/// </summary>
internal static unsafe partial class ThreadAffinity
{
    /// <summary>Words of a mask: 8,192 processors, the most that Linux can be built for (MAXSMP of x86-64).</summary>
    public const int MaskWords = 128;

    /// <summary>
    /// New threads begin with the main thread's processors: .NET resets what they inherit to it (CoreCLR's ThreadEntry). So pinning it would pin all that are
    /// started later, Kestrel's and the thread pool's among them. True also where the system does not say.
    /// </summary>
    public static bool OnMainThread
    {
        get
        {
            try
            {
                // "8713/task/8729"; gettid is not in every libc that .NET runs on.
                string[] ids = new FileInfo("/proc/thread-self").LinkTarget?.Split('/') ?? [];
                return ids.Length != 3 || ids[0] == ids[2];
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return true;
            }
        }
    }

    public static bool TryRead(Span<ulong> mask)
    {
        mask.Clear();
        fixed (ulong* words = mask) return OperatingSystem.IsLinux() && GetAffinity(0, (nuint)mask.Length * sizeof(ulong), words) >= 0;
    }

    public static bool TrySet(ReadOnlySpan<ulong> mask)
    {
        fixed (ulong* words = mask) return OperatingSystem.IsLinux() && SetAffinity(0, (nuint)mask.Length * sizeof(ulong), words) == 0;
    }

    public static bool TryPin(IReadOnlyList<int> processors)
    {
        Span<ulong> mask = stackalloc ulong[MaskWords];
        mask.Clear();
        foreach (int processor in processors)
        {
            if (processor < MaskWords * 64) mask[processor / 64] |= 1UL << (processor % 64);
        }

        return TrySet(mask);
    }

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetAffinity(int thread, nuint bytes, ulong* mask);

    [LibraryImport("libc", EntryPoint = "sched_getaffinity")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int GetAffinity(int thread, nuint bytes, ulong* mask);
}
