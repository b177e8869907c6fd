using System.Runtime.InteropServices;

namespace InferenceServer.Cpu.Memory;

/// <summary>Whole pages from the system (mmap(2), Linux): private, zero at first, readable and writable until protected otherwise.</summary>
internal static partial class Pages
{
    public const int Read = 1, Write = 2, Execute = 4; // PROT_*, sys/mman.h

    private const int Private = 2, Anonymous = 0x20; // MAP_*, Linux
    private const nint Failed = -1;

    /// <summary>0 where the system gives none.</summary>
    public static nint TryMap(nuint bytes)
    {
        nint pages = Map(0, bytes, Read | Write, Private | Anonymous, -1, 0);
        return pages == Failed ? 0 : pages;
    }

    public static bool TryProtect(nint pages, nuint bytes, int protection) => Protect(pages, bytes, protection) == 0;

    public static void Free(nint pages, nuint bytes) => _ = Unmap(pages, bytes);

    [LibraryImport("libc", EntryPoint = "mmap")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Unmap(nint address, nuint length);
}
