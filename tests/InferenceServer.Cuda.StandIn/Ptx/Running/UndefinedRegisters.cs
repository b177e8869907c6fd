using System.Collections;
using InferenceServer.Cuda.StandIn.Ptx.Instructions;
using InferenceServer.Cuda.StandIn.Ptx.Parsing;

namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>
/// Finds the registers that some path reads before it writes them, and whatever is computed from those: only these are followed at run time.
/// A definite-assignment analysis over the blocks of the control flow; a guarded write assigns nothing for certain.
/// </summary>
internal sealed class UndefinedRegisters
{
    private readonly IReadOnlyList<ParsedInstruction> _code;
    private readonly BitArray _trackedInstructions;
    private readonly BitArray _trackedRegisters;

    public UndefinedRegisters(IReadOnlyList<ParsedInstruction> code, IReadOnlyList<Register> registers)
    {
        _code = code;
        _trackedInstructions = new(code.Count);
        _trackedRegisters = new(registers.Count);
        BitArray known = new(registers.Count);
        for (int r = 0; r < registers.Count; r++) known[r] = registers[r].Role != RegisterRole.Variable;
        List<int> starts = Starts();
        BitArray?[] entries = Solve(starts, known);
        for (int b = 0; b < starts.Count - 1; b++)
            if (entries[b] != null) MarkReads(starts[b], starts[b + 1], new(entries[b]!));
        Propagate();
        Tracked = [.. Enumerable.Range(0, registers.Count).Where(r => _trackedRegisters[r])];
    }

    /// <summary>The registers to follow.</summary>
    public int[] Tracked { get; }

    public bool IsTracked(int instruction) => _trackedInstructions[instruction];

    public bool IsTrackedRegister(int register) => _trackedRegisters[register];

    /// <summary>First instruction of each block, and the end of the code.</summary>
    private List<int> Starts()
    {
        SortedSet<int> starts = [0, _code.Count];
        for (int i = 0; i < _code.Count; i++)
        {
            if (_code[i].Target >= 0) starts.Add(_code[i].Target);
            if (_code[i].Opcode.Flow is Flow.Branch or Flow.Exit) starts.Add(i + 1);
        }
        return [.. starts];
    }

    /// <summary>What is written for certain when each block begins; null where no path leads.</summary>
    private BitArray?[] Solve(List<int> starts, BitArray known)
    {
        Dictionary<int, int> blockAt = [];
        for (int b = 0; b < starts.Count - 1; b++) blockAt[starts[b]] = b;
        BitArray?[] entries = new BitArray?[starts.Count - 1];
        entries[0] = known;
        SortedSet<int> pending = [0];
        while (pending.Count > 0)
        {
            int b = pending.Min;
            pending.Remove(b);
            BitArray written = new(entries[b]!);
            for (int i = starts[b]; i < starts[b + 1]; i++) Write(_code[i], written);
            ParsedInstruction last = _code[starts[b + 1] - 1];
            if (last.Target >= 0) Flow(blockAt[last.Target]);
            if ((last.Opcode.Flow is not (Instructions.Flow.Branch or Instructions.Flow.Exit) || last.Guard >= 0) && b + 1 < entries.Length) Flow(b + 1);

            void Flow(int to)
            {
                if (entries[to] == null) entries[to] = new(written);
                else
                {
                    BitArray both = new BitArray(entries[to]!).And(written);
                    if (both.Xor(entries[to]!).HasAnySet() is false) return;
                    entries[to]!.And(written);
                }
                pending.Add(to);
            }
        }
        return entries;
    }

    private static void Write(ParsedInstruction instruction, BitArray written)
    {
        if (instruction.Guard >= 0) return;
        foreach (int register in instruction.Written)
            if (register >= 0) written[register] = true;
    }

    private void MarkReads(int begin, int end, BitArray written)
    {
        for (int i = begin; i < end; i++)
        {
            ParsedInstruction instruction = _code[i];
            if (instruction.Guard >= 0 && !written[instruction.Guard]) _trackedRegisters[instruction.Guard] = true;
            foreach (int register in instruction.Read)
                if (register >= 0 && !written[register]) _trackedRegisters[register] = true;
            Write(instruction, written);
        }
    }

    /// <summary>What is computed from a followed register is followed too; then all instructions that touch one are marked.</summary>
    private void Propagate()
    {
        bool grown = _trackedRegisters.HasAnySet();
        while (grown)
        {
            grown = false;
            foreach (ParsedInstruction instruction in _code)
            {
                if (!instruction.Opcode.PassesUndefined || !Touches(instruction.Read)) continue;
                foreach (int register in instruction.Written)
                {
                    if (register < 0 || _trackedRegisters[register]) continue;
                    _trackedRegisters[register] = true;
                    grown = true;
                }
            }
        }
        for (int i = 0; i < _code.Count; i++)
            _trackedInstructions[i] = Touches(_code[i].Registers) || (_code[i].Guard >= 0 && _trackedRegisters[_code[i].Guard]);
    }

    private bool Touches(ReadOnlySpan<int> registers)
    {
        foreach (int register in registers)
            if (register >= 0 && _trackedRegisters[register]) return true;
        return false;
    }
}
