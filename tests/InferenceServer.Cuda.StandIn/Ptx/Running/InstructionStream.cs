using System.Runtime.InteropServices;
using InferenceServer.Cuda.StandIn.Ptx.Instructions;
using InferenceServer.Cuda.StandIn.Ptx.Parsing;

namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>A kernel's instructions in native memory, with the layout of its register file. Freed with the kernel.</summary>
internal sealed unsafe class InstructionStream
{
    private readonly IReadOnlyList<ParsedInstruction> _parsed;
    private readonly List<Register> _registers;

    public InstructionStream(IReadOnlyList<ParsedInstruction> parsed, RegisterTable table)
    {
        _parsed = parsed;
        _registers = table.Registers;
        Layout = new(_registers);
        Undefined = new(parsed, _registers);
        BlockRows = [.. Enumerable.Range(0, _registers.Count).Where(r => _registers[r].Role == RegisterRole.Special && SpecialRows.IsOfBlock((SpecialRegister)_registers[r].Bits))];
        Code = (Instruction*)NativeMemory.AlignedAlloc((nuint)(sizeof(Instruction) * parsed.Count), 64);
        for (int i = 0; i < parsed.Count; i++) Code[i] = Decode(parsed[i], i);
    }

    ~InstructionStream() => NativeMemory.AlignedFree(Code);

    public Instruction* Code { get; }
    public int Count => _parsed.Count;
    public RegisterLayout Layout { get; }
    /// <summary>Which registers may be read before they are written.</summary>
    public UndefinedRegisters Undefined { get; }
    public IReadOnlyList<Register> Registers => _registers;
    /// <summary>Registers that hold the coordinates of the block.</summary>
    public int[] BlockRows { get; }

    public ParsedInstruction this[int index] => _parsed[index];
    public int IndexOf(Instruction* instruction) => (int)(instruction - Code);
    public string NameOf(int register) => _registers[register].Name;

    private Instruction Decode(ParsedInstruction parsed, int index)
    {
        Opcode opcode = parsed.Opcode;
        Instruction decoded = new()
        {
            Run = opcode.Run,
            Guard = parsed.Guard < 0 ? -1 : Layout.Offsets[parsed.Guard],
            GuardInvert = parsed.GuardNegated ? uint.MaxValue : 0,
            Flow = opcode.Flow,
            Tracked = Undefined.IsTracked(index),
            Space = opcode.Space,
            Count = (byte)opcode.Operands.Select(o => o.Count).DefaultIfEmpty(1).Max(),
            Target = parsed.Target >= 0 ? parsed.Target : parsed.Immediate,
            Offset = parsed.Offset,
            Offset2 = (int)parsed.Offset2,
            Negated = parsed.Negated,
        };
        for (int i = 0; i < parsed.Registers.Length; i++)
        {
            int register = parsed.Registers[i];
            decoded.R[i] = register < 0 ? -1 : Layout.Offsets[register];
            int bytes = register < 0 ? 0 : _registers[register].Type.Bytes();
            if (bytes == 8) decoded.Wide |= (ushort)(1 << i);
            if (bytes == 2) decoded.Narrow |= (ushort)(1 << i);
        }
        return decoded;
    }
}
