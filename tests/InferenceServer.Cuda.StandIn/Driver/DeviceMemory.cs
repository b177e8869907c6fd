using System.Runtime.InteropServices;
using InferenceServer.Cuda.StandIn.Ptx;

namespace InferenceServer.Cuda.StandIn.Driver;

/// <summary>
/// Allocations of device and page-locked memory with gaps between them. A device address is the host address of the bytes behind it. What is freed
/// is poisoned and, while it fits, kept out of use, so that a late access finds no allocation instead of somebody else's. Thread-safe.
/// </summary>
internal sealed unsafe class DeviceMemory(long capacity) : IDeviceMemory, IDisposable
{
    private const int Gap = 512;                     // more than the widest access, on both sides
    private const long QuarantineBytes = 64L << 20;
    private const byte Poison = 0xFF;                // NaN in every float format

    private readonly SortedList<ulong, Allocation> _live = [];
    private readonly Queue<Allocation> _quarantine = new();
    private readonly Lock _lock = new();
    private long _quarantined;

    /// <summary>Bytes of device memory in use.</summary>
    public long Used { get; private set; }

    /// <summary>Bytes of page-locked host memory in use.</summary>
    public long Pinned { get; private set; }

    public long Free => capacity - Used;

    /// <summary>Allocations of both kinds.</summary>
    public int Count
    {
        get { lock (_lock) return _live.Count; }
    }

    /// <summary>0 when there is not as much left. Device memory starts out poisoned: nobody may rely on zeros.</summary>
    public ulong Allocate(long bytes, bool pinned)
    {
        lock (_lock)
        {
            if (bytes <= 0 || (!pinned && bytes > Free)) return 0;
            byte* start = (byte*)NativeMemory.AlignedAlloc((nuint)(bytes + 2 * Gap), Gap);
            NativeMemory.Fill(start, (nuint)(bytes + 2 * Gap), Poison);
            Allocation allocation = new((nint)start, (ulong)start + Gap, bytes, pinned);
            _live.Add(allocation.Address, allocation);
            if (pinned) Pinned += bytes;
            else Used += bytes;
            return allocation.Address;
        }
    }

    /// <summary>False if no allocation of this kind begins here.</summary>
    public bool Release(ulong address, bool pinned)
    {
        lock (_lock)
        {
            if (!_live.TryGetValue(address, out Allocation allocation) || allocation.Pinned != pinned) return false;
            _live.Remove(address);
            if (pinned) Pinned -= allocation.Bytes;
            else Used -= allocation.Bytes;
            if (allocation.Bytes > QuarantineBytes)
            {
                NativeMemory.AlignedFree((void*)allocation.Start);
                return true;
            }

            NativeMemory.Fill((void*)address, (nuint)allocation.Bytes, Poison);
            _quarantine.Enqueue(allocation);
            for (_quarantined += allocation.Bytes; _quarantined > QuarantineBytes;)
            {
                Allocation oldest = _quarantine.Dequeue();
                _quarantined -= oldest.Bytes;
                NativeMemory.AlignedFree((void*)oldest.Start);
            }

            return true;
        }
    }

    /// <summary>Whether one allocation of this kind holds the whole range.</summary>
    public bool Holds(ulong address, long bytes, bool pinned)
    {
        lock (_lock) return Find(address, bytes) is { } found && found.Pinned == pinned;
    }

    public byte* Map(ulong address, int bytes, bool write, out ulong begin, out ulong end)
    {
        lock (_lock)
        {
            if (Find(address, bytes) is not { Pinned: false } found)
            {
                begin = end = 0;
                return null;
            }

            begin = found.Address;
            end = found.Address + (ulong)found.Bytes;
            return (byte*)address;
        }
    }

    /// <summary>Frees everything.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            foreach (Allocation allocation in _live.Values) NativeMemory.AlignedFree((void*)allocation.Start);
            foreach (Allocation allocation in _quarantine) NativeMemory.AlignedFree((void*)allocation.Start);
            _live.Clear();
            _quarantine.Clear();
            _quarantined = Used = Pinned = 0;
        }
    }

    public void Dispose() => Clear();

    private Allocation? Find(ulong address, long bytes)
    {
        IList<ulong> keys = _live.Keys;
        int low = 0, high = keys.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (keys[middle] <= address) low = middle + 1;
            else high = middle - 1;
        }

        if (high < 0) return null;
        Allocation found = _live.GetValueAtIndex(high);
        return address + (ulong)bytes <= found.Address + (ulong)found.Bytes ? found : null;
    }

    private readonly record struct Allocation(nint Start, ulong Address, long Bytes, bool Pinned);
}
