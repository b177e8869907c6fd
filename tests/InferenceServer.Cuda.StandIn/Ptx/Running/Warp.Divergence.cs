using System.Numerics;
using InferenceServer.Cuda.StandIn.Ptx.Instructions;

namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>Where the lanes are when they are not all at one instruction.</summary>
internal sealed unsafe partial class Warp
{
    private readonly int[] _lanePc = new int[32];
    /// <summary>Lanes that wait at a warp-wide instruction.</summary>
    private uint _parked;
    /// <summary>The lowest instruction at which lanes wait that are neither active nor parked: the active ones stop there. -1: regroup at once.</summary>
    private int _nextPc;
    /// <summary>The active lanes need not wait at their warp-wide instruction: all that can come have come.</summary>
    private bool _released;

    private void StartConverged()
    {
        _parked = 0;
        _nextPc = int.MaxValue;
        _released = false;
    }

    private void Diverge(uint taken, int target)
    {
        for (uint lanes = _active; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            _lanePc[lane] = (taken >> lane & 1) != 0 ? target : _pc + 1;
        }
        Choose();
    }

    private void Park(uint mask)
    {
        // Not executed yet: it will be counted when all have come.
        _executed--;
        _executedLanes -= BitOperations.PopCount(mask);
        if (block.Profile.Executed != null) block.Profile.Executed[_pc]--;
        SaveLanes();
        _parked |= _active;
        Choose();
    }

    private void Regroup()
    {
        SaveLanes();
        Choose();
    }

    private void SaveLanes()
    {
        for (uint lanes = _active; lanes != 0; lanes &= lanes - 1) _lanePc[BitOperations.TrailingZeroCount(lanes)] = _pc;
    }

    private void Choose()
    {
        uint free = Alive & ~_parked;
        if (free == 0) Release();
        else Activate(free, LowestPc(free));
    }

    /// <summary>Makes those of <paramref name="free"/> that are at <paramref name="pc"/> the active lanes.</summary>
    private void Activate(uint free, int pc)
    {
        uint active = LanesAt(free, pc);
        _pc = pc;
        _active = active;
        _nextPc = active == free ? int.MaxValue : LowestPc(free & ~active);
    }

    /// <summary>Every lane waits: those whose partners are all there go on.</summary>
    private void Release()
    {
        for (uint waiting = Alive; waiting != 0;)
        {
            int pc = LowestPc(waiting);
            uint group = LanesAt(waiting, pc);
            if (group == Alive || (_stream.Code[pc].Flow == Flow.Members && (Members(_stream.Code + pc, group) & Alive & ~group) == 0))
            {
                _parked = Alive & ~group;
                _pc = pc;
                _active = group;
                _nextPc = int.MaxValue;
                _released = true;
                return;
            }
            waiting &= ~group;
        }
        int first = LowestPc(Alive);
        uint here = LanesAt(Alive, first);
        int other = LowestPc(Alive & ~here);
        Fault(_stream.Code + first, FirstLane(here),
            $"warp diverged: lanes {here:x8} wait here, lanes {LanesAt(Alive, other):x8} at line {_stream[other].Line} in `{_stream[other].Text}`");
    }

    /// <summary>The lanes that the members operand, the last register, names for the first lane of the group.</summary>
    private uint Members(Instruction* i, uint group) => U32(i->R[LastRegister(i)])[FirstLane(group)];

    private int LastRegister(Instruction* i) => _stream[_stream.IndexOf(i)].Registers.Length - 1;

    private int LowestPc(uint lanes)
    {
        int lowest = int.MaxValue;
        for (; lanes != 0; lanes &= lanes - 1) lowest = Math.Min(lowest, _lanePc[BitOperations.TrailingZeroCount(lanes)]);
        return lowest;
    }

    private uint LanesAt(uint lanes, int pc)
    {
        uint at = 0;
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            if (_lanePc[lane] == pc) at |= 1u << lane;
        }
        return at;
    }
}
