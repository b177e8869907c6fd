using InferenceServer.Cuda.StandIn.Ptx.Parsing;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

internal enum OperandKind : byte { Value, Memory, Immediate, Label }

/// <summary>
/// What one operand of an instruction must be. Written in the table as a word:
/// a type, or T (the mnemonic's last type), D (its first), W (twice T's width); "=" in front of a destination; "~" where a wider register
/// will do; "*4" behind a vector of four; "|p" behind a destination that may be followed by a predicate; "!" in front of a predicate that may
/// be negated; "?" behind what may be left out. "[]" is an address, "#" an integer literal, "@" a label.
/// </summary>
internal readonly record struct OperandSpec(
    OperandKind Kind, PtxType Type, int Count = 1, bool IsDestination = false, bool Wider = false,
    bool PredicateBehind = false, bool MayNegate = false, bool Optional = false)
{
    public static OperandSpec[] ParseAll(string specs, string mnemonic) =>
        specs.Length == 0 ? [] : [.. specs.Split(',', StringSplitOptions.TrimEntries).Select(s => Parse(s, mnemonic))];

    private static OperandSpec Parse(string spec, string mnemonic)
    {
        bool optional = spec.EndsWith('?');
        if (optional) spec = spec[..^1];
        if (spec == "[]") return new(OperandKind.Memory, PtxType.B64, Optional: optional);
        if (spec == "#") return new(OperandKind.Immediate, PtxType.B32, Optional: optional);
        if (spec == "@") return new(OperandKind.Label, PtxType.None);
        bool behind = spec.EndsWith("|p", StringComparison.Ordinal);
        if (behind) spec = spec[..^2];
        int star = spec.IndexOf('*'), count = star < 0 ? 1 : int.Parse(spec[(star + 1)..]);
        if (star >= 0) spec = spec[..star];
        bool destination = spec[0] == '=', wider = spec.Contains('~'), negate = spec.Contains('!');
        return new(OperandKind.Value, TypeOf(spec.Trim('=', '~', '!'), mnemonic), count, destination, wider, behind, negate, optional);
    }

    private static PtxType TypeOf(string word, string mnemonic)
    {
        if (PtxTypes.TryParse(word, out PtxType named)) return named;
        PtxType first = PtxType.None, last = PtxType.None;
        foreach (string part in mnemonic.Split('.'))
        {
            if (!PtxTypes.TryParse(part, out PtxType type)) continue;
            if (first == PtxType.None) first = type;
            last = type;
        }
        return word switch
        {
            "T" when last != PtxType.None => last,
            "D" when first != PtxType.None => first,
            "W" when last != PtxType.None => last.Bytes() == 2 ? PtxType.B32 : PtxType.B64,
            _ => throw new InvalidOperationException($"{mnemonic}: no type for operand '{word}'"),
        };
    }
}
