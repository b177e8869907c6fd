namespace InferenceServer.Cpu.Memory;

/// <summary>Pages of machine code: written while writable, then readable and executable only. Never freed: kernels live as long as the process.</summary>
internal static unsafe class ExecutableMemory
{
    /// <summary>Null where the system forbids it (hardened kernels do) or is not Linux: then managed kernels run.</summary>
    public static byte* TryPlace(ReadOnlySpan<byte> code)
    {
        if (!OperatingSystem.IsLinux()) return null;
        nint pages = Pages.TryMap((nuint)code.Length);
        if (pages == 0) return null;
        code.CopyTo(new Span<byte>((void*)pages, code.Length));
        if (Pages.TryProtect(pages, (nuint)code.Length, Pages.Read | Pages.Execute)) return (byte*)pages;
        Pages.Free(pages, (nuint)code.Length);
        return null;
    }
}
