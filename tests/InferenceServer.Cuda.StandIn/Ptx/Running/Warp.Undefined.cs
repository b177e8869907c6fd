using System.Numerics;
using InferenceServer.Cuda.StandIn.Ptx.Parsing;

namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>
/// Follows registers that hold no defined value. Computing with one is allowed, as compilers do so for results they then discard; to decide
/// a branch, address memory, or store by it is a fault.
/// </summary>
internal sealed unsafe partial class Warp
{
    /// <summary>By register: the lanes in which it is undefined.</summary>
    private uint[] _undefined = [];

    private void StartUndefined()
    {
        if (_undefined.Length < _stream.Registers.Count) _undefined = new uint[_stream.Registers.Count];
        foreach (int register in _stream.Undefined.Tracked) _undefined[register] = uint.MaxValue;
    }

    /// <summary>To be called before the instruction runs, for its sources may be its destinations.</summary>
    private void TrackUndefined(Instruction* i, uint mask)
    {
        if (!block.Checks) return;
        ParsedInstruction parsed = _stream[_stream.IndexOf(i)];
        if (parsed.Guard >= 0 && Undefined(parsed.Guard, _active) is var guarded and not 0) FaultUndefined(i, parsed.Guard, guarded);
        uint undefined = 0;
        foreach (int register in parsed.Read)
        {
            uint lanes = register < 0 ? 0 : Undefined(register, mask);
            if (lanes != 0 && !parsed.Opcode.PassesUndefined) FaultUndefined(i, register, lanes);
            undefined |= lanes;
        }
        if (undefined != 0) undefined = Refine(i, parsed, undefined, mask);
        foreach (int register in parsed.Written)
            if (register >= 0 && _stream.Undefined.IsTrackedRegister(register)) _undefined[register] = (_undefined[register] & ~mask) | (undefined & mask);
    }

    /// <summary>The cases in which an undefined source leaves the result defined.</summary>
    private uint Refine(Instruction* i, ParsedInstruction parsed, uint undefined, uint mask)
    {
        string mnemonic = parsed.Opcode.Mnemonic;
        ReadOnlySpan<int> read = parsed.Read;
        if (mnemonic.StartsWith("selp", StringComparison.Ordinal))
        {
            uint choice = Predicate(i->R[3]);
            return (Undefined(read[0], mask) & choice) | (Undefined(read[1], mask) & ~choice) | Undefined(read[2], mask);
        }
        if (mnemonic is "and.pred" or "or.pred")
        {
            uint decides = mnemonic == "and.pred" ? 0 : uint.MaxValue;
            uint a = ~(Predicate(i->R[1]) ^ decides) & ~Undefined(read[0], mask), b = ~(Predicate(i->R[2]) ^ decides) & ~Undefined(read[1], mask);
            return undefined & ~(a | b);
        }
        return mnemonic.StartsWith("shfl", StringComparison.Ordinal) ? Shuffled(i, read, mask) : undefined;
    }

    /// <summary>Sends a row that tells undefined lanes through the same shuffle.</summary>
    private uint Shuffled(Instruction* i, ReadOnlySpan<int> read, uint mask)
    {
        uint value = Undefined(read[0], mask), result = 0;
        for (int k = 1; k < read.Length; k++)
            if (Undefined(read[k], mask) is var lanes and not 0) FaultUndefined(i, read[k], lanes);
        int scratch = _stream.Layout.Scratch;
        Instruction probe = *i;
        probe.R[0] = scratch;
        probe.R[1] = -1;
        probe.R[2] = scratch;
        for (int lane = 0; lane < 32; lane++) U32(scratch)[lane] = value >> lane & 1;
        i->Run(this, &probe, mask);
        for (int lane = 0; lane < 32; lane++) result |= U32(scratch)[lane] << lane;
        return result;
    }

    private uint Undefined(int register, uint mask) => _stream.Undefined.IsTrackedRegister(register) ? _undefined[register] & mask : 0;

    private void FaultUndefined(Instruction* i, int register, uint lanes) =>
        Fault(i, BitOperations.TrailingZeroCount(lanes), $"{_stream.NameOf(register)} is used but was never written, or computed from what was not");
}
