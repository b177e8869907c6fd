using System.Runtime.InteropServices;
using InferenceServer.Cpu.Memory;

namespace InferenceServer.Cpu.Emitting;

/// <summary>
/// The tiles of a thread: 8 KB of registers that Linux saves only for processes that asked for it (Documentation/arch/x86/xstate.rst). They are configured
/// around a product and released behind it: what is not configured is not saved either. Thread-safe: a thread has tiles of its own.
/// </summary>
internal static unsafe partial class TileState
{
    private const nint ArchPrctl = 158; // SYS_arch_prctl on x86-64
    private const nint RequestPermission = 0x1023; // ARCH_REQ_XCOMP_PERM
    private const nint TileData = 18; // XFEATURE_XTILEDATA

    private static readonly Lazy<bool> Allowed = new(static () => SystemCall(ArchPrctl, RequestPermission, TileData) == 0);
    private static readonly byte* Code = Place();

    [ThreadStatic]
    private static bool _hasSignalStack;

    /// <summary>False where the system has no tiles, or forbids them.</summary>
    public static bool TryAllow() => OperatingSystem.IsLinux() && Allowed.Value;

    /// <param name="shapes">Of <see cref="TileShapes"/>.</param>
    public static void Configure(byte* shapes)
    {
        if (!_hasSignalStack) _hasSignalStack = SignalStack.TryEnlarge();
        ((delegate* unmanaged[SuppressGCTransition]<byte*, void>)Code)(shapes);
    }

    public static void Release() => ((delegate* unmanaged[SuppressGCTransition]<void>)(Code + 16))();

    /// <summary>Null where nothing can be emitted: then there are no kernels either that would need it.</summary>
    private static byte* Place()
    {
        Assembler code = new();
        code.ConfigureTiles(new Address(Gp.Rdi));
        code.Return();
        code.Align(16);
        code.ReleaseTiles();
        code.Return();
        return ExecutableMemory.TryPlace(code.ToArray());
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint SystemCall(nint number, nint first, nint second);
}
