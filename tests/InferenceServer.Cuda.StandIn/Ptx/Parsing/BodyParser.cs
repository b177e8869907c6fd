using InferenceServer.Cuda.StandIn.Ptx.Instructions;

namespace InferenceServer.Cuda.StandIn.Ptx.Parsing;

/// <summary>Reads the body of a kernel: declarations, labels, instructions, nested scopes of inline assembly.</summary>
internal sealed class BodyParser
{
    private readonly PtxReader _reader;
    private readonly OperandParser _operands;
    private readonly List<(ParsedInstruction Branch, string Label, Scope Scope)> _branches = [];
    private Scope _scope;

    public BodyParser(PtxReader reader, Scope module, IReadOnlyList<VariableDeclaration> shared, IReadOnlyList<PtxParam> parameters)
    {
        _reader = reader;
        _scope = new(module) { Place = name => shared.FirstOrDefault(s => s.Name == name) is { Name: not null } used ? PlaceShared(used) : null };
        foreach (PtxParam parameter in parameters)
            _scope.TryAddSymbol(parameter.Name, new(parameter.Name, StateSpace.Param, (ulong)parameter.Offset, parameter.Size));
        _operands = new(reader, Registers);
    }

    public RegisterTable Registers { get; } = new();
    public List<ParsedInstruction> Instructions { get; } = [];
    public SharedLayout Shared { get; } = new();
    public int LocalBytes { get; private set; }

    public void Parse()
    {
        _reader.Expect('{');
        for (int depth = 1; depth > 0;)
        {
            if (_reader.Take('{')) { depth++; _scope = new(_scope); }
            else if (_reader.Take('}')) { depth--; _scope = _scope.Outer!; }
            else if (_reader.Take(';')) continue;
            else Statement();
        }
        if (Instructions.Count == 0 || Instructions[^1].Opcode.Flow != Flow.Exit || Instructions[^1].Guard >= 0)
            _reader.Fail("the kernel runs off its end: ret expected before");
        foreach ((ParsedInstruction branch, string label, Scope scope) in _branches)
        {
            if (!scope.TryFindLabel(label, out int target)) throw new PtxException($"{_reader.Name}, PTX line {branch.Line}: no label {label} for `{branch.Text}`");
            branch.Target = target;
        }
        Registers.PlaceDynamicShared(Shared.DynamicBase);
    }

    private void Statement()
    {
        int begin = _reader.Position, guard = -1;
        bool negated = false;
        if (_reader.Take('@'))
        {
            negated = _reader.Take('!');
            guard = _operands.Predicate(_scope);
        }
        ReadOnlySpan<char> word = _reader.Word();
        int line = _reader.Line;
        if (word[0] == '.') Directive(word);
        else if (word[^1] == ':' && guard < 0) Label(word[..^1]);
        else if (guard < 0 && word[0] is '$' or '_' or '%' && _reader.Take(':')) Label(word);
        else Instruction(word, guard, negated, line, begin);
    }

    private void Label(ReadOnlySpan<char> name)
    {
        if (!_scope.TryAddLabel(name.ToString(), Instructions.Count)) _reader.Fail($"a second label {name}");
    }

    private void Instruction(ReadOnlySpan<char> mnemonic, int guard, bool negated, int line, int begin)
    {
        Opcode? opcode = InstructionTable.All.Find(mnemonic);
        if (opcode == null) { _reader.Fail($"no such instruction: {mnemonic}"); return; }
        if (mnemonic.StartsWith("mov.")) opcode = MoveInstructions.Form(opcode, _reader);
        OperandList operands = _operands.Parse(opcode, _scope);
        int end = _reader.Position;
        _reader.Expect(';');
        ParsedInstruction instruction = new()
        {
            Opcode = opcode,
            Line = line,
            Text = string.Join(' ', _reader.Text[begin..end].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)),
            Guard = guard,
            GuardNegated = negated,
            Registers = [.. operands.Registers],
            Destinations = operands.Destinations,
            Offset = operands.Offset,
            Offset2 = operands.Offset2,
            Immediate = operands.Immediate,
            Negated = operands.Negated,
        };
        Instructions.Add(instruction);
        if (operands.Label != null) _branches.Add((instruction, operands.Label, _scope));
    }

    private void Directive(ReadOnlySpan<char> word)
    {
        switch (word)
        {
            case ".reg": DeclareRegisters(); break;
            case ".shared": AddSymbol(PlaceShared(Variable())); break;
            case ".local": AddLocal(Variable()); break;
            case ".pragma": _reader.Until(';'); break;
            case ".loc": _reader.Until('\n'); break;
            default: _reader.Fail($"unsupported directive {word}"); break;
        }
    }

    private VariableDeclaration Variable()
    {
        VariableDeclaration declaration = VariableDeclaration.Parse(_reader);
        if (declaration.Initial != null) _reader.Fail($"{declaration.Name}: a variable of a kernel has no initial value");
        _reader.Expect(';');
        return declaration;
    }

    /// <summary>A kernel takes what it names of the module's shared variables: templates leave those of their siblings beside its own.</summary>
    private Symbol PlaceShared(VariableDeclaration declaration)
    {
        if (declaration.Size == 0) Shared.UseDynamic(declaration.Align);
        ulong address = declaration.Size == 0 ? RegisterTable.DynamicShared : (ulong)Shared.Place(declaration.Size, declaration.Align);
        return new(declaration.Name, StateSpace.Shared, address, declaration.Size);
    }

    private void AddLocal(VariableDeclaration declaration)
    {
        int address = SharedLayout.Align(LocalBytes, declaration.Align);
        LocalBytes = address + declaration.Size;
        AddSymbol(new(declaration.Name, StateSpace.Local, (ulong)address, declaration.Size));
    }

    private void AddSymbol(Symbol symbol)
    {
        if (!_scope.TryAddSymbol(symbol.Name, symbol)) _reader.Fail($"a second {symbol.Name}");
    }

    /// <summary><c>.reg .b32 %r&lt;12&gt;, %tmp;</c> declares %r0 to %r11 and %tmp.</summary>
    private void DeclareRegisters()
    {
        ReadOnlySpan<char> typeName = _reader.Word();
        if (!PtxTypes.TryParse(typeName[1..], out PtxType type) || (type != PtxType.Pred && type.Bytes() < 2)) _reader.Fail($"{typeName} is no type of a register");
        do
        {
            string name = _reader.Word().ToString();
            if (_reader.Take('<'))
            {
                int count = _reader.Count();
                _reader.Expect('>');
                for (int i = 0; i < count; i++) DeclareRegister($"{name}{i}", type);
            }
            else DeclareRegister(name, type);
        }
        while (_reader.Take(','));
        _reader.Expect(';');
    }

    private void DeclareRegister(string name, PtxType type)
    {
        if (!_scope.TryAddRegister(name, Registers.Declare(name, type))) _reader.Fail($"a second register {name}");
    }
}
