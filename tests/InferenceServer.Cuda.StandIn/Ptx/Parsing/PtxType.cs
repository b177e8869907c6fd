namespace InferenceServer.Cuda.StandIn.Ptx.Parsing;

/// <summary>The fundamental types of PTX, in order of width.</summary>
internal enum PtxType : byte
{
    None, Pred,
    B8, U8, S8,
    B16, U16, S16, F16, BF16,
    B32, U32, S32, F32, F16x2, BF16x2, TF32,
    B64, U64, S64, F64,
}

/// <summary>What the type rules of PTX ask of a type: its width, and what it may be mixed with.</summary>
internal static class PtxTypes
{
    private static readonly Dictionary<string, PtxType> ByName =
        Enum.GetValues<PtxType>().Where(t => t != PtxType.None).ToDictionary(t => t.ToString().ToLowerInvariant());
    private static readonly Dictionary<string, PtxType>.AlternateLookup<ReadOnlySpan<char>> BySpan = ByName.GetAlternateLookup<ReadOnlySpan<char>>();

    public static bool TryParse(ReadOnlySpan<char> name, out PtxType type) => BySpan.TryGetValue(name, out type);

    /// <summary>Bytes a value takes in memory; a predicate has no place there.</summary>
    public static int Bytes(this PtxType type) => type switch
    {
        PtxType.None or PtxType.Pred => 0,
        <= PtxType.S8 => 1,
        <= PtxType.BF16 => 2,
        <= PtxType.TF32 => 4,
        _ => 8,
    };

    public static bool IsFloat(this PtxType type) => type is PtxType.F16 or PtxType.F32 or PtxType.F64 or PtxType.F16x2;

    /// <summary>Untyped bits; the packed and 16-bit formats that PTX keeps in .b registers count as such.</summary>
    public static bool IsBits(this PtxType type) =>
        type is PtxType.B8 or PtxType.B16 or PtxType.B32 or PtxType.B64 or PtxType.BF16 or PtxType.BF16x2 or PtxType.TF32;

    /// <summary>Whether a register declared as <paramref name="register"/> may stand where an instruction wants <paramref name="wanted"/>.</summary>
    /// <param name="wider">ld, st and cvt take registers wider than their type (PTX ISA, "Operand Size Exceeding Instruction-Type Size").</param>
    public static bool Fits(PtxType register, PtxType wanted, bool wider)
    {
        if (register == PtxType.Pred || wanted == PtxType.Pred) return register == wanted;
        int have = register.Bytes(), want = wanted.Bytes();
        if (have < want || (have > want && !wider)) return false;
        if (register.IsBits() || (wanted.IsBits() && have == want)) return true;
        if (wanted.IsBits()) return !register.IsFloat();
        return register.IsFloat() == wanted.IsFloat() && (!register.IsFloat() || have == want);
    }
}
