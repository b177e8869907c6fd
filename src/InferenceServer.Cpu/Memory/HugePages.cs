using System.Runtime.InteropServices;

namespace InferenceServer.Cpu.Memory;

/// <summary>The one place that talks to libc: advice about pages. Advice may be refused; that costs speed, never correctness.</summary>
internal static unsafe partial class HugePages
{
    /// <summary>Alignment that lets a whole buffer lie in 2 MB pages.</summary>
    public const int Bytes = 2 << 20;

    private const int AdviseHugePage = 14; // MADV_HUGEPAGE, linux/mman.h

    /// <summary>True if the kernel took the advice.</summary>
    public static bool TryAdvise(void* start, long bytes) =>
        OperatingSystem.IsLinux() && MemoryAdvise(start, (nuint)bytes & ~(nuint)4095, AdviseHugePage) == 0;

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MemoryAdvise(void* start, nuint length, int advice);
}
