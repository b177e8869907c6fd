namespace InferenceServer.Cuda.StandIn.Ptx.Parsing;

/// <summary>All registers of a kernel: those it declares, one for each constant it uses, and the special ones.</summary>
internal sealed class RegisterTable
{
    private readonly Dictionary<(PtxType Type, ulong Bits), int> _constants = [];
    private readonly Dictionary<SpecialRegister, int> _specials = [];
    private readonly List<int> _dynamic = [];

    /// <summary>Stands for the address of dynamic shared memory until the static variables are all known.</summary>
    public const ulong DynamicShared = ulong.MaxValue - 1;

    public List<Register> Registers { get; } = [];

    public int Declare(string name, PtxType type) => Add(new(name, type, RegisterRole.Variable, 0));

    /// <summary>A register of the width of <paramref name="type"/> that always holds <paramref name="bits"/>.</summary>
    public int Constant(PtxType type, ulong bits)
    {
        PtxType row = type.Bytes() switch { 0 => PtxType.Pred, 8 => PtxType.B64, 2 => PtxType.B16, _ => PtxType.B32 };
        bits &= row switch { PtxType.Pred => 1, PtxType.B16 => 0xffff, PtxType.B32 => uint.MaxValue, _ => ulong.MaxValue };
        if (!_constants.TryGetValue((row, bits), out int register))
            _constants[(row, bits)] = register = Add(new($"0x{bits:x}", row, RegisterRole.Constant, bits));
        return register;
    }

    public int Special(SpecialRegister special)
    {
        if (!_specials.TryGetValue(special, out int register))
        {
            PtxType type = special >= SpecialRegister.Clock64 ? PtxType.U64 : PtxType.U32;
            _specials[special] = register = Add(new(special.ToString(), type, RegisterRole.Special, (ulong)special));
        }
        return register;
    }

    public int Address(PtxType type, ulong address)
    {
        if (address != DynamicShared) return Constant(type, address);
        _dynamic.Add(Add(new("dynamic shared memory", type.Bytes() == 8 ? PtxType.B64 : PtxType.B32, RegisterRole.Constant, 0)));
        return _dynamic[^1];
    }

    public void PlaceDynamicShared(int address)
    {
        foreach (int register in _dynamic) Registers[register] = Registers[register] with { Bits = (ulong)address };
    }

    private int Add(Register register)
    {
        Registers.Add(register);
        return Registers.Count - 1;
    }
}

internal enum RegisterRole : byte { Variable, Constant, Special }

/// <param name="Bits">The value of a constant, the <see cref="SpecialRegister"/> of a special one.</param>
internal readonly record struct Register(string Name, PtxType Type, RegisterRole Role, ulong Bits)
{
    /// <summary>Bytes of the 32 lanes: a predicate is one bit a lane, 16-bit registers take 32-bit rows.</summary>
    public int RowBytes => Type == PtxType.Pred ? 4 : Type.Bytes() == 8 ? 256 : 128;
}
