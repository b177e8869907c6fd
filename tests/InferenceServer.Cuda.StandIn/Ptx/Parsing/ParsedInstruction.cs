using InferenceServer.Cuda.StandIn.Ptx.Instructions;

namespace InferenceServer.Cuda.StandIn.Ptx.Parsing;

/// <summary>An instruction of a kernel's text, its registers still numbers of the <see cref="RegisterTable"/>.</summary>
internal sealed class ParsedInstruction
{
    public required Opcode Opcode { get; init; }
    public required int Line { get; init; }
    public required string Text { get; init; }
    /// <summary>The predicate that guards it, or -1.</summary>
    public int Guard { get; init; } = -1;
    public bool GuardNegated { get; init; }
    /// <summary>All registers in the order of the text, vectors flattened; -1 for an operand left out.</summary>
    public required int[] Registers { get; init; }
    /// <summary>How many of them, the first ones, are written.</summary>
    public required int Destinations { get; init; }
    /// <summary>What is added to the first and the second address.</summary>
    public long Offset { get; init; }
    public long Offset2 { get; init; }
    public int Immediate { get; init; }
    /// <summary>Whether the predicate operand that may be negated is.</summary>
    public bool Negated { get; init; }
    /// <summary>Index of the instruction a branch goes to; -1 if it is none.</summary>
    public int Target { get; set; } = -1;

    public ReadOnlySpan<int> Written => Registers.AsSpan(0, Destinations);
    public ReadOnlySpan<int> Read => Registers.AsSpan(Destinations);
}
