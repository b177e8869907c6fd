using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>
/// Every instruction the stand-in knows, by its whole mnemonic: what is not here to the letter is refused, as an assembler would refuse it.
/// To add one: write or choose a handler, add its spellings to a group's Define, add a test of lanes computed by hand.
/// </summary>
internal sealed unsafe class InstructionTable
{
    private readonly Dictionary<string, Opcode> _opcodes = new(4096);
    private readonly Dictionary<string, Opcode>.AlternateLookup<ReadOnlySpan<char>> _bySpan;

    private InstructionTable()
    {
        _bySpan = _opcodes.GetAlternateLookup<ReadOnlySpan<char>>();
        IntegerInstructions.Define(this);
        BitInstructions.Define(this);
        FloatInstructions.Define(this);
        HalfInstructions.Define(this);
        CompareInstructions.Define(this);
        ConvertInstructions.Define(this);
        MoveInstructions.Define(this);
        MemoryInstructions.Define(this);
        AtomicInstructions.Define(this);
        AsyncCopyInstructions.Define(this);
        ControlInstructions.Define(this);
        WarpInstructions.Define(this);
        MatrixInstructions.Define(this);
    }

    public static InstructionTable All { get; } = new();

    public IReadOnlyCollection<string> Mnemonics => _opcodes.Keys;

    public Opcode? Find(ReadOnlySpan<char> mnemonic) => _bySpan.TryGetValue(mnemonic, out Opcode? opcode) ? opcode : null;

    /// <summary>Adds all spellings of a pattern: "add{.rn,}.f32" is add.rn.f32 and add.f32.</summary>
    /// <param name="operands">See <see cref="OperandSpec"/>.</param>
    /// <param name="passesUndefined">Computing with an undefined register makes the result undefined; false where that would do harm at once.</param>
    public void Add(
        string pattern, string operands, delegate*<Warp, Instruction*, uint, void> run,
        Flow flow = Flow.Next, StateSpace space = StateSpace.Generic, bool passesUndefined = true)
    {
        foreach (string mnemonic in Spellings(pattern))
        {
            Opcode opcode = new()
            {
                Mnemonic = mnemonic,
                Operands = OperandSpec.ParseAll(operands, mnemonic),
                Run = run,
                Flow = flow,
                Space = space,
                PassesUndefined = passesUndefined,
            };
            _opcodes.Add(mnemonic, opcode);
        }
    }

    private static IEnumerable<string> Spellings(string pattern)
    {
        int open = pattern.IndexOf('{');
        if (open < 0) return [pattern];
        int close = pattern.IndexOf('}', open);
        string head = pattern[..open], tail = pattern[(close + 1)..];
        return pattern[(open + 1)..close].Split(',').SelectMany(choice => Spellings(head + choice + tail));
    }
}
