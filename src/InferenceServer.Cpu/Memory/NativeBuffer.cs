using System.Runtime.InteropServices;

namespace InferenceServer.Cpu.Memory;

/// <summary>
/// Memory outside the managed heap, aligned for the widest vector and, when large, for 2 MB pages. Contents start undefined
/// unless cleared. One owner frees it; using <see cref="Pointer"/> afterwards is the owner's bug.
/// </summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    /// <summary>A cache line, and the width of a 512-bit vector.</summary>
    public const int Alignment = 64;

    /// <summary>Kernels may prefetch past the end but never read there; the padding keeps whole vectors legal at the very end.</summary>
    private const int Padding = 64;

    /// <param name="bytes">Size wanted.</param>
    /// <param name="what">Names the buffer in the error sentence, e.g. "the KV cache".</param>
    /// <param name="hugePages">Ask for 2 MB pages if it is large enough to gain from them.</param>
    public NativeBuffer(long bytes, string what, bool hugePages = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        bool large = hugePages && bytes >= 2L * HugePages.Bytes;
        try
        {
            Pointer = (byte*)NativeMemory.AlignedAlloc(checked((nuint)bytes + Padding), (nuint)(large ? HugePages.Bytes : Alignment));
        }
        catch (OutOfMemoryException e)
        {
            throw new InsufficientMemoryException(
                $"{what} needs {bytes / 1048576.0:F1} MiB, which the machine refused. Free memory, or choose a smaller model, context or batch.", e);
        }

        Bytes = bytes;
        if (large) HugePages.TryAdvise(Pointer, bytes);
    }

    public byte* Pointer { get; private set; }

    public float* Floats => (float*)Pointer;

    public long Bytes { get; }

    public void Clear() => NativeMemory.Clear(Pointer, (nuint)Bytes);

    public void Dispose()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
    }
}
