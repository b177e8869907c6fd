namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>
/// The cp.async copies of a warp that have not arrived. They arrive as late as the program allows: at the wait that requires them, reading
/// global memory only then. Groups are counted a lane, as the hardware does.
/// </summary>
internal sealed unsafe class AsyncCopyQueue
{
    private readonly List<Copy> _copies = [];
    private readonly int[] _committed = new int[32];

    private readonly record struct Copy(int Lane, int Group, int Destination, ulong Source, int Bytes, int SourceBytes);

    public void Clear()
    {
        _copies.Clear();
        Array.Clear(_committed);
    }

    public void Add(int lane, int destination, ulong source, int bytes, int sourceBytes) =>
        _copies.Add(new(lane, _committed[lane], destination, source, bytes, sourceBytes));

    public void Commit(uint mask)
    {
        for (int lane = 0; lane < 32; lane++)
            if ((mask >> lane & 1) != 0) _committed[lane]++;
    }

    /// <summary>Lets all copies arrive but those of the last <paramref name="groups"/> groups of each lane; -1: those not committed as well.</summary>
    public void Wait(Warp warp, Instruction* i, uint mask, int groups)
    {
        int kept = 0;
        for (int c = 0; c < _copies.Count; c++)
        {
            Copy copy = _copies[c];
            bool due = (mask >> copy.Lane & 1) != 0 && copy.Group < _committed[copy.Lane] - groups;
            if (!due)
            {
                _copies[kept++] = copy;
                continue;
            }
            byte* source = copy.SourceBytes == 0 ? null : warp.Block.Global.Map(copy.Source, copy.SourceBytes, write: false);
            if (source == null && copy.SourceBytes != 0) warp.Fault(i, copy.Lane, $"the source 0x{copy.Source:x} of a cp.async is gone when it arrives");
            warp.Block.Shared.Land(warp, copy.Lane, copy.Destination, copy.Bytes, source, copy.SourceBytes);
        }
        _copies.RemoveRange(kept, _copies.Count - kept);
    }
}
