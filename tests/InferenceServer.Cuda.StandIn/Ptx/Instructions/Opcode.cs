using InferenceServer.Cuda.StandIn.Ptx.Running;

namespace InferenceServer.Cuda.StandIn.Ptx.Instructions;

/// <summary>One legal spelling of an instruction: its operands and what runs it.</summary>
internal sealed unsafe class Opcode
{
    public required string Mnemonic { get; init; }
    public required OperandSpec[] Operands { get; init; }
    /// <summary>Runs the instruction for the lanes of the mask; null where the warp's loop does all there is to do.</summary>
    public required delegate*<Warp, Instruction*, uint, void> Run { get; init; }
    public Flow Flow { get; init; }
    public StateSpace Space { get; init; }
    /// <summary>A register that holds no defined value may be read: the result is then undefined as well. Otherwise reading it is a fault.</summary>
    public bool PassesUndefined { get; init; }
}
