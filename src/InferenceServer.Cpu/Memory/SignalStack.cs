using System.Runtime.InteropServices;

namespace InferenceServer.Cpu.Memory;

/// <summary>
/// The stack on which a thread takes the signals of its faults (sigaltstack(2)), which the runtime turns into exceptions. It has given every thread one of
/// 16 KB; of a thread that has used matrix tiles the system saves 11 KB of registers there, and what is left is too little: a null reference would end
/// the process. Thread-safe.
/// </summary>
internal static unsafe partial class SignalStack
{
    private const int Bytes = 64 << 10;

    /// <summary>
    /// Gives the calling thread a larger one, unless it has one. At its end the runtime frees of it what it believes to be its own, 16 KB; the rest, never
    /// touched, stays mapped: threads that multiply live as long as their server.
    /// </summary>
    /// <returns>False while the thread is on that stack, where it cannot be exchanged.</returns>
    /// <exception cref="InsufficientMemoryException">The system gives no pages.</exception>
    public static bool TryEnlarge()
    {
        Description held;
        if (Exchange(null, &held) == 0 && held.Bytes >= Bytes) return true;
        nint pages = Pages.TryMap(Bytes);
        if (pages == 0) throw new InsufficientMemoryException("The system gives no memory for the signal stack of a thread that multiplies.");
        Description larger = new() { Start = pages, Bytes = Bytes };
        if (Exchange(&larger, null) == 0) return true;
        Pages.Free(pages, Bytes);
        return false;
    }

    [LibraryImport("libc", EntryPoint = "sigaltstack")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Exchange(Description* set, Description* found);

    /// <summary>stack_t of x86-64 Linux.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Description
    {
        public nint Start;
        public int Flags;
        public nuint Bytes;
    }
}
