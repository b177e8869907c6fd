using InferenceServer.Cpu.Kernels;

namespace InferenceServer.Cpu.Ops;

/// <summary>How a thread's scratch memory is laid out while it attends to a piece.</summary>
internal readonly unsafe struct AttentionScratch
{
    /// <summary>Groups behind a tile's own that are only prefetched.</summary>
    public const int GroupsAhead = 4;

    private const int KeyGroups = AttentionKernels.TileGroups + GroupsAhead;

    /// <summary>(row blocks, headDim, rows of a block)</summary>
    public readonly float* Queries;

    /// <summary>(rows, stride of scores)</summary>
    public readonly float* Scores;

    /// <summary>What the tiles so far gave.</summary>
    public readonly AttentionRows Sum;

    /// <summary>What the current tile gives.</summary>
    public readonly AttentionRows Tile;

    public readonly byte** Keys;

    public readonly byte** Values;

    public readonly ValueRun* Runs;

    public AttentionScratch(float* memory, int rows, int headDim)
    {
        int padded = Padded(rows);
        Scores = memory;
        Queries = Scores + padded * AttentionKernels.ScoreStride;
        Sum = new AttentionRows(Queries + padded * headDim, rows, headDim);
        Tile = new AttentionRows(Queries + padded * headDim + AttentionRows.Floats(rows, headDim), rows, headDim);
        Keys = (byte**)(Queries + padded * headDim + 2 * AttentionRows.Floats(rows, headDim));
        Values = Keys + KeyGroups;
        Runs = (ValueRun*)(Values + KeyGroups);
    }

    public static long Floats(int rows, int headDim) =>
        (long)Padded(rows) * (AttentionKernels.ScoreStride + headDim) + 2 * AttentionRows.Floats(rows, headDim)
        + (2 * KeyGroups * sizeof(byte*) + KeyGroups * sizeof(ValueRun)) / sizeof(float);

    /// <summary>Whole blocks, whichever size they have.</summary>
    private static int Padded(int rows) => (rows + 7) / 8 * 8;
}
