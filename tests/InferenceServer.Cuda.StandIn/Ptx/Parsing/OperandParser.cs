using InferenceServer.Cuda.StandIn.Ptx.Instructions;

namespace InferenceServer.Cuda.StandIn.Ptx.Parsing;

/// <summary>Reads the operands an opcode asks for and holds them to its types.</summary>
internal sealed class OperandParser(PtxReader reader, RegisterTable registers)
{
    private readonly OperandList _list = new();

    public OperandList Parse(Opcode opcode, Scope scope)
    {
        _list.Clear();
        for (int i = 0; i < opcode.Operands.Length; i++)
        {
            OperandSpec spec = opcode.Operands[i];
            if (spec.Optional && reader.Peek() == ';')
            {
                if (spec.Kind == OperandKind.Value) _list.Registers.Add(-1);
                continue;
            }
            if (i > 0) reader.Expect(',');
            Operand(opcode, spec, scope);
        }
        return _list;
    }

    public int Predicate(Scope scope)
    {
        ReadOnlySpan<char> name = reader.Word();
        if (!scope.TryFindRegister(name, out int register) || registers.Registers[register].Type != PtxType.Pred) reader.Fail($"{name} is no predicate");
        return register;
    }

    private void Operand(Opcode opcode, OperandSpec spec, Scope scope)
    {
        switch (spec.Kind)
        {
            case OperandKind.Label: _list.Label = reader.Word().ToString(); break;
            case OperandKind.Immediate: _list.Immediate = reader.Count(); break;
            case OperandKind.Memory: Address(opcode, scope); break;
            default: Value(spec, scope); break;
        }
    }

    private void Value(OperandSpec spec, Scope scope)
    {
        if (spec.MayNegate) _list.Negated = reader.Take('!');
        if (spec.Count > 1)
        {
            reader.Expect('{');
            for (int i = 0; i < spec.Count; i++)
            {
                if (i > 0) reader.Expect(',');
                _list.Registers.Add(Single(spec, scope));
            }
            reader.Expect('}');
        }
        else _list.Registers.Add(Single(spec, scope));
        if (spec.PredicateBehind) _list.Registers.Add(reader.Take('|') ? Predicate(scope) : -1);
        if (spec.IsDestination) _list.Destinations = _list.Registers.Count;
    }

    private int Single(OperandSpec spec, Scope scope)
    {
        if (reader.NextIsNumber())
        {
            if (spec.IsDestination) reader.Fail("a register expected");
            return Literal(spec);
        }
        ReadOnlySpan<char> name = reader.Word();
        if (spec.IsDestination && name is "_") return registers.Declare("_", spec.Type);
        if (scope.TryFindRegister(name, out int register))
        {
            PtxType type = registers.Registers[register].Type;
            if (!PtxTypes.Fits(type, spec.Type, spec.Wider)) reader.Fail($"{name} is a .{Lower(type)} register where .{Lower(spec.Type)} is wanted");
            return register;
        }
        if (spec.IsDestination) { reader.Fail($"{name} is no register"); return -1; }
        if (name[0] == '%' && SpecialRegisters.TryParse(name.ToString(), out SpecialRegister special))
        {
            register = registers.Special(special);
            if (registers.Registers[register].Type.Bytes() != spec.Type.Bytes()) reader.Fail($"{name} does not have the width of .{Lower(spec.Type)}");
            return register;
        }
        return SymbolAddress(name, scope, spec.Type);
    }

    private int Literal(OperandSpec spec)
    {
        ulong bits = reader.Number(spec.Type, out bool isFloat);
        bool wantsFloat = spec.Type.IsFloat(), wantsInteger = !wantsFloat && !spec.Type.IsBits();
        if ((isFloat && wantsInteger) || (!isFloat && wantsFloat)) reader.Fail($"the literal is no .{Lower(spec.Type)}");
        return registers.Constant(spec.Type, spec.Type == PtxType.Pred && bits != 0 ? 1 : bits);
    }

    /// <summary><c>[%rd1+8]</c>, <c>[variable]</c>, <c>[%r1+-4]</c> or a plain number.</summary>
    private void Address(Opcode opcode, Scope scope)
    {
        reader.Expect('[');
        long offset = 0;
        if (reader.NextIsNumber()) _list.Registers.Add(registers.Constant(PtxType.B64, reader.Integer()));
        else
        {
            ReadOnlySpan<char> name = reader.Word();
            if (scope.TryFindRegister(name, out int register)) _list.Registers.Add(CheckAddress(register, opcode, _list.Addresses));
            else _list.Registers.Add(SymbolAddress(name, scope, PtxType.B64));
            if (reader.Take('+')) offset = (long)reader.Integer();
            else if (reader.Peek() == '-') offset = (long)reader.Integer();
        }
        reader.Expect(']');
        if (_list.Addresses++ == 0) _list.Offset = offset;
        else _list.Offset2 = offset;
    }

    /// <summary>Addresses of shared memory may have 32 bits, all others have 64.</summary>
    private int CheckAddress(int register, Opcode opcode, int index)
    {
        PtxType type = registers.Registers[register].Type;
        bool narrow = index == 0 && opcode.Space is StateSpace.Shared or StateSpace.Local or StateSpace.Param or StateSpace.Const;
        if (type.IsFloat() || (type.Bytes() != 8 && !(narrow && type.Bytes() == 4)))
            reader.Fail($"{registers.Registers[register].Name} cannot be an address in this space");
        return register;
    }

    private int SymbolAddress(ReadOnlySpan<char> name, Scope scope, PtxType type)
    {
        Symbol? symbol = scope.FindSymbol(name);
        if (symbol == null || type.Bytes() < 4 || type.IsFloat()) { reader.Fail($"unknown name {name}"); return -1; }
        return registers.Address(type, symbol.Address);
    }

    private static string Lower(PtxType type) => type.ToString().ToLowerInvariant();
}
