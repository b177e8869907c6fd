using InferenceServer.Cpu.Kernels;

namespace InferenceServer.Cpu.Ops;

/// <summary>How a thread's scratch memory is laid out while it attends to a piece.</summary>
internal readonly unsafe struct AttentionScratch
{
    /// <summary>A tile's groups, and those that are only prefetched.</summary>
    private const int KeyGroups = AttentionKernels.TileGroups + 4;

    /// <summary>(row blocks, headDim, rows of a block)</summary>
    public readonly float* Queries;

    /// <summary>(rows, slots of a tile)</summary>
    public readonly float* Scores;

    /// <summary>What the tiles so far gave.</summary>
    public readonly AttentionRows Sum;

    /// <summary>What the current tile gives.</summary>
    public readonly AttentionRows Tile;

    public readonly byte** Keys;

    public readonly ValueRun* Runs;

    public AttentionScratch(float* memory, int rows, int headDim)
    {
        int padded = Padded(rows);
        Scores = memory;
        Queries = Scores + padded * AttentionKernels.TileSlots;
        Sum = new AttentionRows(Queries + padded * headDim, rows, headDim);
        Tile = new AttentionRows(Queries + padded * headDim + AttentionRows.Floats(rows, headDim), rows, headDim);
        Keys = (byte**)(Queries + padded * headDim + 2 * AttentionRows.Floats(rows, headDim));
        Runs = (ValueRun*)(Keys + KeyGroups);
    }

    public static long Floats(int rows, int headDim) =>
        (long)Padded(rows) * (AttentionKernels.TileSlots + headDim) + 2 * AttentionRows.Floats(rows, headDim)
        + (KeyGroups * sizeof(byte*) + KeyGroups * sizeof(ValueRun)) / sizeof(float);

    /// <summary>Whole blocks, whichever size they have.</summary>
    private static int Padded(int rows) => (rows + 7) / 8 * 8;
}
