using System.Numerics;
using System.Runtime.InteropServices;
using InferenceServer.Cuda.StandIn.Ptx.Parsing;

namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>
/// The shared memory of a block, with a shadow that finds races between barriers, reads of what was never written, and accesses to bytes an
/// asynchronous copy still owns. Two writes of the same value are no race: which of them wins does not matter.
/// </summary>
internal sealed unsafe class SharedMemory(bool checks) : IDisposable
{
    private readonly SharedClock _clock = new();
    private byte* _bytes;
    private ShadowWord* _shadow;
    private int _capacity;
    private SharedLayout _layout = new();
    private int _hotBegin, _hotEnd;
    private int _dynamicBytes;

    public void Prepare(SharedLayout layout, int dynamicBytes)
    {
        _layout = layout;
        _dynamicBytes = dynamicBytes;
        (_hotBegin, _hotEnd) = (layout.DynamicBase, layout.DynamicBase + dynamicBytes);
        if (_hotEnd <= _capacity) return;
        Dispose();
        _capacity = _hotEnd;
        _bytes = (byte*)NativeMemory.AlignedAlloc((nuint)_capacity + 16, 128);
        _shadow = (ShadowWord*)NativeMemory.AllocZeroed((nuint)(_capacity / 4 + 4), (nuint)sizeof(ShadowWord));
    }

    public void StartBlock() => _clock.StartBlock();
    public void Arrive(int warp) => _clock.Arrive(warp);
    public void Synchronise(uint arrived, uint waiting, bool all) => _clock.Synchronise(arrived, waiting, all);
    public void SynchroniseLanes(int warp) => _clock.SynchroniseLanes(warp);

    /// <summary>The bytes at an address that a lane is about to read.</summary>
    public byte* Read(Warp warp, Instruction* i, int lane, ulong address, int bytes)
    {
        byte* at = Locate(warp, i, lane, address, bytes);
        if (!checks) return at;
        int offset = (int)address, left = bytes;
        do
        {
            int begin = offset & 3, length = Math.Min(4 - begin, left);
            CheckRead(warp, i, lane, offset >> 2, (byte)(((1 << length) - 1) << begin));
            offset += length;
            left -= length;
        }
        while (left > 0);
        return at;
    }

    public void Write(Warp warp, Instruction* i, int lane, ulong address, byte* value, int bytes)
    {
        byte* at = Locate(warp, i, lane, address, bytes);
        if (checks) CheckWrites(warp, i, lane, address, bytes, new ReadOnlySpan<byte>(at, bytes).SequenceEqual(new(value, bytes)));
        Buffer.MemoryCopy(value, at, bytes, bytes);
    }

    /// <summary>The bytes at an address that an atomic operation is about to change.</summary>
    public byte* Atomic(Warp warp, Instruction* i, int lane, ulong address, int bytes)
    {
        byte* at = Locate(warp, i, lane, address, bytes);
        if (!checks) return at;
        for (int word = (int)address >> 2; word <= ((int)address + bytes - 1) >> 2; word++)
        {
            ShadowWord* s = Fresh(word);
            if (!s->Atomic || s->WriteTick < _clock.BlockStart)
            {
                ShadowWord before = *s;
                CheckRead(warp, i, lane, word, 0xf);
                CheckWrite(warp, i, lane, word, 0xf, false);
                // What an update reads itself is no read that the next update could race with.
                (s->ReadTick, s->Readers, s->ReadBytes, s->LastReader, s->ReaderLane) = (before.ReadTick, before.Readers, before.ReadBytes, before.LastReader, before.ReaderLane);
            }
            else if (Owned(s, warp.Index, lane, 0xf, out string reader)) warp.Fault(i, lane, $"race: atomic update of a shared word that {reader} reads, with no barrier between");
            Stamp(s, warp.Index, lane, 0xf);
            s->Atomic = true;
        }
        return at;
    }

    /// <summary>From now until <see cref="Land"/> the bytes belong to an asynchronous copy.</summary>
    public void BeginCopy(Warp warp, Instruction* i, int lane, ulong address, int bytes)
    {
        Locate(warp, i, lane, address, bytes);
        if (!checks) return;
        CheckWrites(warp, i, lane, address, bytes, false);
        for (int word = (int)address >> 2; word < ((int)address + bytes) >> 2; word++) _shadow[word].PendingBytes = 0xf;
    }

    /// <summary>An asynchronous copy arrives; bytes beyond <paramref name="sourceBytes"/> become zero.</summary>
    public void Land(Warp warp, int lane, int address, int bytes, byte* source, int sourceBytes)
    {
        new Span<byte>(_bytes + address, bytes).Clear();
        Buffer.MemoryCopy(source, _bytes + address, bytes, sourceBytes);
        if (!checks) return;
        for (int word = address >> 2; word < (address + bytes) >> 2; word++)
        {
            _shadow[word].PendingBytes = 0;
            Stamp(_shadow + word, warp.Index, lane, 0xf);
        }
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_bytes);
        NativeMemory.Free(_shadow);
        _bytes = null;
        _shadow = null;
        _capacity = 0;
    }

    private byte* Locate(Warp warp, Instruction* i, int lane, ulong address, int bytes)
    {
        if ((address & (ulong)(bytes - 1)) != 0) warp.Fault(i, lane, $"misaligned access of {bytes} bytes at shared address 0x{address:x}");
        if (address < (ulong)_hotBegin || address + (ulong)bytes > (ulong)_hotEnd) FindVariable(warp, i, lane, address, bytes);
        return _bytes + address;
    }

    /// <summary>Makes the variable that holds the bytes the one that is tried first.</summary>
    private void FindVariable(Warp warp, Instruction* i, int lane, ulong address, int bytes)
    {
        int dynamicBase = _layout.DynamicBase;
        foreach ((int begin, int end) in _layout.Variables)
        {
            if (address < (ulong)begin || address >= (ulong)end || address + (ulong)bytes > (ulong)end) continue;
            (_hotBegin, _hotEnd) = (begin, end);
            return;
        }
        if (address >= (ulong)dynamicBase && address < (ulong)(dynamicBase + _dynamicBytes) && address + (ulong)bytes <= (ulong)(dynamicBase + _dynamicBytes))
            (_hotBegin, _hotEnd) = (dynamicBase, dynamicBase + _dynamicBytes);
        else
            warp.Fault(i, lane, $"access of {bytes} bytes at shared address 0x{address:x} is outside every shared variable ({_dynamicBytes} dynamic bytes from 0x{dynamicBase:x})");
    }

    private void CheckWrites(Warp warp, Instruction* i, int lane, ulong address, int bytes, bool sameValue)
    {
        int offset = (int)address, left = bytes;
        do
        {
            int begin = offset & 3, length = Math.Min(4 - begin, left);
            byte mask = (byte)(((1 << length) - 1) << begin);
            CheckWrite(warp, i, lane, offset >> 2, mask, sameValue);
            Stamp(_shadow + (offset >> 2), warp.Index, lane, mask);
            offset += length;
            left -= length;
        }
        while (left > 0);
    }

    private ShadowWord* Fresh(int word)
    {
        ShadowWord* s = _shadow + word;
        if (s->WriteTick < _clock.BlockStart && (s->InitialisedBytes | s->PendingBytes) != 0) *s = default;
        return s;
    }

    private void CheckRead(Warp warp, Instruction* i, int lane, int word, byte bytes)
    {
        ShadowWord* s = Fresh(word);
        if ((s->PendingBytes & bytes) != 0) warp.Fault(i, lane, $"read of shared bytes at 0x{word * 4:x} whose cp.async was not waited for");
        if ((s->InitialisedBytes & bytes) != bytes) warp.Fault(i, lane, $"read of uninitialised shared memory at 0x{word * 4:x}");
        if (s->WriteTick >= _clock.Floor && (s->WrittenBytes & bytes) != 0) CheckWriter(warp, i, lane, s, word, "read");
        if (s->ReadTick < _clock.Floor) (s->Readers, s->ReadBytes) = (0, 0);
        bool others = s->LastReader == warp.Index && s->ReaderLane != lane && !_clock.LanesHaveSeen(warp.Index, s->ReadTick);
        s->ReaderLane = others ? ShadowWord.ManyLanes : (byte)lane;
        s->LastReader = (byte)warp.Index;
        s->Readers |= 1u << warp.Index;
        s->ReadBytes |= bytes;
        s->ReadTick = _clock.Now;
    }

    private void CheckWrite(Warp warp, Instruction* i, int lane, int word, byte bytes, bool sameValue)
    {
        ShadowWord* s = Fresh(word);
        if ((s->PendingBytes & bytes) != 0) warp.Fault(i, lane, $"write over an outstanding cp.async at shared address 0x{word * 4:x}");
        if (sameValue && (s->InitialisedBytes & bytes) == bytes) return;
        if (s->WriteTick >= _clock.Floor && (s->WrittenBytes & bytes) != 0) CheckWriter(warp, i, lane, s, word, "written");
        if (Owned(s, warp.Index, lane, bytes, out string reader))
            warp.Fault(i, lane, $"race: shared word 0x{word * 4:x} is written while {reader} reads it, with no barrier between");
    }

    private void CheckWriter(Warp warp, Instruction* i, int lane, ShadowWord* s, int word, string verb)
    {
        bool sameWarp = s->Writer == warp.Index;
        if (sameWarp ? s->WriterLane == lane || _clock.LanesHaveSeen(warp.Index, s->WriteTick) : _clock.HasSeen(warp.Index, s->Writer, s->WriteTick)) return;
        string writer = sameWarp ? $"lane {s->WriterLane} of the same warp" : $"warp {s->Writer}";
        warp.Fault(i, lane, $"race: shared word 0x{word * 4:x} is {verb} after {writer} wrote it, with no barrier between");
    }

    /// <summary>Whether someone reads the bytes that has not been seen since.</summary>
    private bool Owned(ShadowWord* s, int warp, int lane, byte bytes, out string reader)
    {
        reader = "";
        if (s->ReadTick < _clock.Floor || (s->ReadBytes & bytes) == 0) return false;
        for (uint others = s->Readers & ~(1u << warp); others != 0; others &= others - 1)
        {
            int other = BitOperations.TrailingZeroCount(others);
            if (_clock.HasSeen(warp, other, s->ReadTick)) continue;
            reader = $"warp {other}";
            return true;
        }
        if (s->LastReader != warp || s->ReaderLane == lane || _clock.LanesHaveSeen(warp, s->ReadTick)) return false;
        reader = "another lane of the same warp";
        return true;
    }

    private void Stamp(ShadowWord* s, int warp, int lane, byte bytes)
    {
        bool ordered = s->WriteTick < _clock.Floor;
        s->WrittenBytes = (byte)(ordered ? bytes : s->WrittenBytes | bytes);
        s->InitialisedBytes |= bytes;
        s->Writer = (byte)warp;
        s->WriterLane = (byte)lane;
        s->WriteTick = _clock.Now;
        s->Atomic = false;
    }
}
