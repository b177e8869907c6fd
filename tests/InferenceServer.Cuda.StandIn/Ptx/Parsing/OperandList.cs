namespace InferenceServer.Cuda.StandIn.Ptx.Parsing;

/// <summary>The operands of one instruction as they are read; reused from one to the next.</summary>
internal sealed class OperandList
{
    public List<int> Registers { get; } = [];
    public int Destinations { get; set; }
    public long Offset { get; set; }
    public long Offset2 { get; set; }
    public int Addresses { get; set; }
    public int Immediate { get; set; }
    public bool Negated { get; set; }
    public string? Label { get; set; }

    public void Clear()
    {
        Registers.Clear();
        (Destinations, Addresses, Immediate, Offset, Offset2, Negated, Label) = (0, 0, 0, 0, 0, false, null);
    }
}
