using InferenceServer.Cuda.StandIn.Ptx.Parsing;

namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>Where each register lies in the register file of a warp: rows of 32 lanes, then the predicates.</summary>
internal sealed class RegisterLayout
{
    public RegisterLayout(IReadOnlyList<Register> registers)
    {
        Offsets = new int[registers.Count];
        foreach (int size in (int[])[256, 128, 4])
        {
            for (int i = 0; i < registers.Count; i++)
            {
                if (registers[i].RowBytes != size) continue;
                Offsets[i] = Bytes;
                Bytes += size;
            }
        }
        Bytes = (Bytes + 127) / 128 * 128;
        Scratch = Bytes;
        Bytes += 128;
    }

    public int[] Offsets { get; }
    public int Bytes { get; }
    /// <summary>A row that belongs to no register.</summary>
    public int Scratch { get; }
}
