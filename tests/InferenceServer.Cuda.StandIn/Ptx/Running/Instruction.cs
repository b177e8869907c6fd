using System.Runtime.InteropServices;
using InferenceServer.Cuda.StandIn.Ptx.Instructions;

namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>
/// A decoded instruction: everything its handler needs, registers as byte offsets into the register file of the warp.
/// What ALU instructions use lies in the first 64 bytes.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct Instruction
{
    /// <summary>The most register operands of any instruction: mma.m16n8k16 has 4 + 4 + 2 + 4.</summary>
    public const int MaxRegisters = 14;

    public delegate*<Warp, Instruction*, uint, void> Run;
    /// <summary>Offset of the guarding predicate, or -1.</summary>
    public int Guard;
    /// <summary>All ones where the guard is negated.</summary>
    public uint GuardInvert;
    public Flow Flow;
    /// <summary>Some operand may hold no defined value: what happens to it is followed at run time.</summary>
    public bool Tracked;
    public StateSpace Space;
    /// <summary>Elements of the vector operand, or 1.</summary>
    public byte Count;
    /// <summary>Branch target, or the immediate operand.</summary>
    public int Target;
    /// <summary>A bit each register operand: it has 64 bits.</summary>
    public ushort Wide;
    /// <summary>A bit each register operand: it has 16 bits.</summary>
    public ushort Narrow;
    /// <summary>Register operands in the order of the text; -1 where one was left out.</summary>
    public fixed int R[MaxRegisters];
    public long Offset;
    public int Offset2;
    /// <summary>The predicate operand is negated.</summary>
    public bool Negated;

    public readonly bool IsWide(int operand) => (Wide >> operand & 1) != 0;
    public readonly bool IsNarrow(int operand) => (Narrow >> operand & 1) != 0;
}
