using System.Runtime.InteropServices;

namespace InferenceServer.Cpu.Memory;

/// <summary>Pages of machine code: written while writable, then readable and executable only. Never freed: kernels live as long as the process.</summary>
internal static unsafe partial class ExecutableMemory
{
    private const int Read = 1, Write = 2, Execute = 4; // PROT_*, sys/mman.h
    private const int Private = 2, Anonymous = 0x20; // MAP_*, Linux
    private const nint Failed = -1;

    /// <summary>Null where the system forbids it (hardened kernels do) or is not Linux: then managed kernels run.</summary>
    public static byte* TryPlace(ReadOnlySpan<byte> code)
    {
        if (!OperatingSystem.IsLinux()) return null;
        nint pages = Map(0, (nuint)code.Length, Read | Write, Private | Anonymous, -1, 0);
        if (pages == Failed) return null;
        code.CopyTo(new Span<byte>((void*)pages, code.Length));
        if (Protect(pages, (nuint)code.Length, Read | Execute) == 0) return (byte*)pages;
        _ = Unmap(pages, (nuint)code.Length);
        return null;
    }

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
