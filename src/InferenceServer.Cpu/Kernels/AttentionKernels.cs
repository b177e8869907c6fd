namespace InferenceServer.Cpu.Kernels;

/// <summary>
/// Scores of query rows against groups of 16 keys: Scores[row][g * 16 + lane] = sum over d of query[row][d] * key[lane of group g][d].
/// Each is one accumulator that takes one multiply-add a dimension, first dimension first, whatever stands beside it.
/// </summary>
internal unsafe struct ScoreTile
{
    /// <summary>Groups of a tile, each 16 keys transposed. Filled from FirstGroup rounded down to EndGroup rounded up to multiples of 4, plus 4 more that are only prefetched.</summary>
    public byte** Keys;

    /// <summary>The same groups' values, which are only prefetched.</summary>
    public byte** Values;

    public int FirstGroup;

    public int EndGroup;

    /// <summary>(RowBlocks, HeadDim, RowBlock): rows interleaved, so that one pointer reaches all.</summary>
    public float* Queries;

    public int RowBlocks;

    /// <summary>Rows of a block: 4, or 8 where the kernels take that; see <see cref="AttentionKernels.RowBlock"/>.</summary>
    public int RowBlock;

    public int HeadDim;

    /// <summary>(RowBlocks * RowBlock, <see cref="AttentionKernels.ScoreStride"/>)</summary>
    public float* Scores;
}

/// <summary>Values of adjacent positions: Count of them from Values on, their probabilities from slot Slot on.</summary>
internal unsafe struct ValueRun
{
    public byte* Values;

    /// <summary>A group of keys that is needed soon, and only prefetched: as many bytes as 16 values.</summary>
    public byte* Later;

    public int Slot;

    public int Count;
}

/// <summary>Totals[row][column] += sum over positions of probability[row][position] * value[position][column], positions in the order of the runs.</summary>
internal unsafe struct WeighTile
{
    /// <summary>Count runs, and one more that is only prefetched.</summary>
    public ValueRun* Runs;

    public int RunCount;

    /// <summary>Bytes from one position's value to the next.</summary>
    public nint ValueBytes;

    /// <summary>Chunks of 32 columns; the last may reach past the head, into what nobody reads.</summary>
    public int Chunks;

    /// <summary>(Rows, <see cref="AttentionKernels.ScoreStride"/>)</summary>
    public float* Probabilities;

    public int Rows;

    /// <summary>(Rows, Chunks * 32)</summary>
    public float* Totals;
}

/// <summary>The attention kernels of one instruction set and one way of storing keys and values. Chosen once, as data.</summary>
internal sealed unsafe class AttentionKernels
{
    /// <summary>
    /// Groups of 16 slots that one pass of softmax takes: a fixed range of absolute positions, on which alone a partial result depends. Long enough that
    /// what is paid once a tile (maximum, correction, merge) is small, short enough that scores of 16 rows stay in the first-level cache.
    /// </summary>
    public const int TileGroups = 16;

    /// <summary>Slots of a tile: positions, and the rest of each block's last group where the block size is no multiple of 16.</summary>
    public const int TileSlots = TileGroups * Tile.GroupRows;

    /// <summary>Floats from one row of scores to the next: a line more than a tile, or eight rows would meet in the same sets of the first-level cache.</summary>
    public const int ScoreStride = TileSlots + 16;

    private readonly bool _isWide;

    private AttentionKernels(bool isWide, delegate*<ScoreTile*, void> score, delegate*<WeighTile*, void> weigh, delegate*<float*, int, out float, out float, void> turn)
    {
        _isWide = isWide;
        Score = score;
        Weigh = weigh;
        Turn = turn;
    }

    public delegate*<ScoreTile*, void> Score { get; }

    public delegate*<WeighTile*, void> Weigh { get; }

    /// <summary>See <see cref="Softmax.Turn"/>.</summary>
    public delegate*<float*, int, out float, out float, void> Turn { get; }

    /// <summary>Into blocks of how many rows queries are interleaved.</summary>
    public int RowBlock(int rows) => _isWide && rows > 4 ? 8 : 4;

    public static AttentionKernels For(InstructionSet set, KvType type) => set switch
    {
        InstructionSet.Avx512 or InstructionSet.Avx512Vnni or InstructionSet.Amx => For<LanesAvx512>(type),
        InstructionSet.Avx2 or InstructionSet.Avx2Emitted or InstructionSet.AvxVnni => For<LanesAvx2>(type),
        _ => For<LanesPortable>(type),
    };

    private static AttentionKernels For<TLanes>(KvType type)
        where TLanes : struct, ILanes<TLanes> => type switch
        {
            KvType.F32 => Create<TLanes, F32Kv<TLanes>>(),
            KvType.BF16 => Create<TLanes, Bf16Kv<TLanes>>(),
            KvType.Q8 => Create<TLanes, Q8Kv<TLanes>>(),
            _ => throw new ArgumentOutOfRangeException(nameof(type), $"Keys and values cannot be stored as {type}; F32, BF16 and Q8 are known."),
        };

    private static AttentionKernels Create<TLanes, TFormat>()
        where TLanes : struct, ILanes<TLanes>
        where TFormat : struct, IKvFormat<TLanes> =>
        new(TLanes.IsWide, &AttentionScore<TLanes, TFormat>.Score, &AttentionWeigh<TLanes, TFormat>.Weigh, TLanes.IsWide ? &SoftmaxWide.Turn : &Softmax.Turn);
}
