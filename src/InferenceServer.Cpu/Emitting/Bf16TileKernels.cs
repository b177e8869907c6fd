using InferenceServer.Cpu.Kernels;

namespace InferenceServer.Cpu.Emitting;

/// <summary>The bf16 tile kernels, and how a range of groups and tokens is cut into them. Immutable, thread-safe.</summary>
internal sealed unsafe class Bf16TileKernels
{
    private const int MaxTokens = 2 * TileShapes.Rows;

    /// <summary>Turns whose weights, of two groups, stay in the second-level cache beside the input while all tokens pass over them.</summary>
    private const int CachedTurns = 64;

    /// <summary>Bytes of input that share a second-level cache with weights.</summary>
    private const int CachedInput = 1 << 20;

    private readonly delegate* unmanaged<DotCall*, void>[] _kernels = new delegate* unmanaged<DotCall*, void>[8];

    private Bf16TileKernels()
    {
    }

    /// <summary>Null where the system lets no program make code.</summary>
    public static Bf16TileKernels? TryCreate()
    {
        EmittedCode code = new();
        int[] starts = new int[8];
        for (int i = 0; i < starts.Length; i++) starts[i] = code.Add(new Bf16TileEmitter().Emit(1 + (i & 1), tall: (i & 2) != 0, adds: (i & 4) != 0));
        byte* placed = code.TryPlace();
        if (placed is null) return null;
        Bf16TileKernels kernels = new();
        for (int i = 0; i < starts.Length; i++) kernels._kernels[i] = (delegate* unmanaged<DotCall*, void>)(placed + starts[i]);
        return kernels;
    }

    /// <summary>Few tokens read the weights in one stream. Many pass over a piece of them that stays in cache, and come back for the next.</summary>
    /// <param name="tile">Its input is in <see cref="InputForm.Bf16Tiles"/>, its input stride that of sixteen tokens.</param>
    /// <param name="turns">Of 32 columns.</param>
    public void Multiply(in LinearTile tile, int turns)
    {
        int turnsTogether = tile.Rows <= MaxTokens ? turns : Math.Min(turns, CachedTurns), configured = 0;
        int block = Math.Max(1, CachedInput / (2 * turnsTogether * Bf16Tiles.UnitBytes)) * MaxTokens;
        for (int row = 0; row < tile.Rows; row += block)
        {
            int end = Math.Min(tile.Rows, row + block);
            for (int turn = 0; turn < turns; turn += turnsTogether)
            {
                int count = Math.Min(turnsTogether, turns - turn);
                for (int group = 0; group < tile.Groups; group += 2) MultiplyPiece(tile, group, row, end, turn, count, ref configured);
            }
        }

        TileState.Release();
    }

    private void MultiplyPiece(in LinearTile tile, int group, int firstRow, int lastRow, int firstTurn, int turns, ref int configured)
    {
        int groups = Math.Min(2, tile.Groups - group);
        DotCall call = new()
        {
            Weights = tile.Weights + group * tile.GroupStride + (long)firstTurn * TileShapes.TileBytes,
            GroupStride = tile.GroupStride,
            Input = tile.Input + firstRow / Bf16Tiles.Tokens * tile.InputStride + (long)firstTurn * Bf16Tiles.UnitBytes,
            InputStride = tile.InputStride,
            Output = tile.Output + firstRow * tile.OutputStride + group * Tile.GroupRows,
            OutputStride = tile.OutputStride * sizeof(float),
            Units = turns,
        };
        for (int row = firstRow; row < lastRow; row += MaxTokens, call.Input += 2 * tile.InputStride, call.Output += MaxTokens * tile.OutputStride)
        {
            int tokens = Math.Min(MaxTokens, lastRow - row);
            if (tokens != configured) TileState.Configure(TileShapes.Bf16(tokens));
            configured = tokens;
            _kernels[groups - 1 | (tokens > TileShapes.Rows ? 2 : 0) | (firstTurn > 0 ? 4 : 0)](&call);
        }
    }
}
