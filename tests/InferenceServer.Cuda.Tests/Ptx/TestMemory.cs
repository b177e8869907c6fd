using System.Runtime.InteropServices;
using InferenceServer.Cuda.StandIn.Ptx;

namespace InferenceServer.Cuda.Tests.Ptx;

/// <summary>Allocations with gaps between them, at host addresses.</summary>
internal sealed unsafe class TestMemory : IDeviceMemory, IDisposable
{
    private const int Gap = 256;
    private readonly List<(ulong Address, int Bytes, nint Block)> _allocations = [];

    public ulong Upload<T>(params ReadOnlySpan<T> values) where T : unmanaged
    {
        int bytes = values.Length * sizeof(T);
        byte* block = (byte*)NativeMemory.AlignedAlloc((nuint)(bytes + 2 * Gap), Gap);
        MemoryMarshal.AsBytes(values).CopyTo(new Span<byte>(block + Gap, bytes));
        _allocations.Add(((ulong)(block + Gap), bytes, (nint)block));
        return (ulong)(block + Gap);
    }

    public static Span<T> At<T>(ulong address, int count) where T : unmanaged => new((void*)address, count);

    public byte* Map(ulong address, int bytes, bool write, out ulong begin, out ulong end)
    {
        foreach ((ulong at, int size, _) in _allocations)
        {
            (begin, end) = (at, at + (ulong)size);
            if (address >= begin && address + (ulong)bytes <= end) return (byte*)address;
        }
        (begin, end) = (0, 0);
        return null;
    }

    public void Dispose()
    {
        foreach ((_, _, nint block) in _allocations) NativeMemory.AlignedFree((void*)block);
    }
}
