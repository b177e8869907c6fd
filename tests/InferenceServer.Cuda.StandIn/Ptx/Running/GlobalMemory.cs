using InferenceServer.Cuda.StandIn.Ptx.Instructions;
using InferenceServer.Cuda.StandIn.Ptx.Parsing;

namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>Translates global addresses, keeping the last few allocations it met. Not thread-safe: one per executor.</summary>
internal sealed unsafe class GlobalMemory(IDeviceMemory memory)
{
    private const int Kept = 8;
    private readonly Range[] _ranges = new Range[Kept];
    private ModuleVariables _variables = null!;
    private int _next;

    private struct Range
    {
        public ulong Begin, Size;
        /// <summary>Host pointer minus device address.</summary>
        public ulong Delta;
        public bool Writable;

        public readonly bool Holds(ulong address, int bytes, bool write) =>
            address - Begin < Size && address - Begin + (ulong)bytes <= Size && (Writable || !write);
    }

    /// <summary>Forgets what the launch before knew: allocations may have come and gone.</summary>
    public void Prepare(ModuleVariables variables)
    {
        _variables = variables;
        Array.Clear(_ranges);
    }

    /// <summary>The host pointer of an access, or null if no allocation holds all of it.</summary>
    public byte* Map(ulong address, int bytes, bool write)
    {
        ref Range hot = ref _ranges[0];
        if (hot.Holds(address, bytes, write)) return (byte*)(address + hot.Delta);
        for (int i = 1; i < Kept; i++)
        {
            if (!_ranges[i].Holds(address, bytes, write)) continue;
            (_ranges[0], _ranges[i]) = (_ranges[i], _ranges[0]);
            return (byte*)(address + _ranges[0].Delta);
        }
        return Look(address, bytes, write);
    }

    /// <summary>For messages: how far an address is behind the end of an allocation met before.</summary>
    public string Nearest(ulong address)
    {
        foreach (Range range in _ranges)
        {
            ulong behind = address - (range.Begin + range.Size);
            if (range.Size != 0 && behind < 65536) return $": {behind} bytes past the end of one of {range.Size}";
            if (range.Size != 0 && address - range.Begin < range.Size) return $": it runs past the end of one of {range.Size}";
        }
        return "";
    }

    private byte* Look(ulong address, int bytes, bool write)
    {
        Range range = new() { Writable = write };
        byte* host;
        if (_variables.Find(address) is { } variable)
        {
            (range.Begin, range.Size) = (variable.Address, (ulong)variable.Size);
            bool fits = address - range.Begin + (ulong)bytes <= range.Size && !(write && variable.Space == StateSpace.Const);
            host = fits ? (byte*)address : null;
        }
        else
        {
            host = memory.Map(address, bytes, write, out range.Begin, out ulong end);
            range.Size = end - range.Begin;
        }
        if (host == null) return null;
        range.Delta = (ulong)host - address;
        _next = 1 + (_next % (Kept - 1));
        _ranges[_next] = range;
        (_ranges[0], _ranges[_next]) = (_ranges[_next], _ranges[0]);
        return host;
    }
}
