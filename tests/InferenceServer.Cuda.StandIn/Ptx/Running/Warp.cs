using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using InferenceServer.Cuda.StandIn.Ptx.Instructions;

namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>
/// 32 lanes that run one instruction at a time. Where they diverge, those at the lowest instruction go first, so that they meet again where
/// the compiler joined the paths; lanes at a warp-wide instruction wait there for the others. One per warp of a block, reused from block to block.
/// </summary>
internal sealed unsafe partial class Warp(BlockExecutor block, int index)
{
    /// <summary>The register file.</summary>
    public byte* Registers;
    public byte* Local;
    public uint Alive;
    public WarpStatus Status;

    private InstructionStream _stream = null!;
    private int _pc;
    private uint _active;
    private long _executed;
    private long _executedLanes;
    private long _budget;

    public BlockExecutor Block => block;
    public int Index => index;
    public long Executed => _executed;
    public long ExecutedLanes => _executedLanes;
    public AsyncCopyQueue Copies { get; } = new();

    public void Start(InstructionStream stream, int threads, long budget)
    {
        _stream = stream;
        _pc = 0;
        _budget = budget;
        Alive = _active = threads >= 32 ? uint.MaxValue : (1u << threads) - 1;
        _executed = _executedLanes = 0;
        Status = WarpStatus.Ready;
        Copies.Clear();
        StartConverged();
        StartUndefined();
    }

    /// <summary>Runs until the warp ends or waits for another.</summary>
    public void Run()
    {
        Instruction* code = _stream.Code;
        byte* registers = Registers;
        long* profile = block.Profile.Executed;
        int pc = _pc;
        uint active = _active;
        for (; ; )
        {
            Instruction* i = code + pc;
            uint mask = active;
            if (i->Guard >= 0) mask &= *(uint*)(registers + i->Guard) ^ i->GuardInvert;
            if (profile != null) profile[pc]++;
            _executed++;
            _executedLanes += BitOperations.PopCount(mask);
            if (i->Flow == Flow.Next && !i->Tracked)
            {
                if (mask != 0) i->Run(this, i, mask);
                pc++;
            }
            else
            {
                _pc = pc;
                _active = active;
                Special(i, mask);
                if (Status != WarpStatus.Ready) return;
                pc = _pc;
                active = _active;
            }
            if (pc < _nextPc) continue;
            _pc = pc;
            _active = active;
            Regroup();
            pc = _pc;
            active = _active;
        }
    }

    private void Special(Instruction* i, uint mask)
    {
        switch (i->Flow)
        {
            case Flow.Next:
                if (i->Tracked) TrackUndefined(i, mask);
                if (mask != 0) i->Run(this, i, mask);
                _pc++;
                break;
            case Flow.Branch or Flow.Exit:
                if (i->Tracked) TrackUndefined(i, mask);
                if (i->Flow == Flow.Branch) Branch(i, mask);
                else Exit(mask);
                break;
            default:
                if (_active == Alive || _released) Together(i, mask);
                else Park(mask);
                break;
        }
    }

    private void Together(Instruction* i, uint mask)
    {
        _released = false;
        _pc++;
        if (i->Tracked) TrackUndefined(i, mask);
        if (mask == 0) return;
        if (i->Flow != Flow.Members && mask != Alive)
            Fault(i, FirstLane(mask), $"reached by lanes {mask:x8} of a warp whose lanes {Alive:x8} run: all must take part");
        i->Run(this, i, mask);
    }

    private void Branch(Instruction* i, uint taken)
    {
        if (i->Target <= _pc && _executed > _budget)
            Fault(i, FirstLane(_active), $"no end in sight: the warp has executed {_executed:n0} instructions");
        if (taken == _active) _pc = i->Target;
        else if (taken == 0) _pc++;
        else Diverge(taken, i->Target);
    }

    private void Exit(uint mask)
    {
        Alive &= ~mask;
        _active &= ~mask;
        if (Alive == 0) Status = WarpStatus.Done;
        else if (_active != 0) _pc++;
        else _nextPc = -1;
    }

    public uint* U32(int offset) => (uint*)(Registers + offset);
    public ulong* U64(int offset) => (ulong*)(Registers + offset);
    public float* F32(int offset) => (float*)(Registers + offset);
    public ref uint Predicate(int offset) => ref *(uint*)(Registers + offset);

    public void SetPredicate(int offset, uint mask, uint value)
    {
        ref uint predicate = ref Predicate(offset);
        predicate = (predicate & ~mask) | (value & mask);
    }

    public int IndexOf(Instruction* i) => _stream.IndexOf(i);

    public static int FirstLane(uint mask) => mask == 0 ? 0 : BitOperations.TrailingZeroCount(mask);

    [DoesNotReturn]
    public void Fault(Instruction* i, int lane, string what) => block.Fault(this, _stream.IndexOf(i), lane, what);
}
