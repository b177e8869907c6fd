using InferenceServer.Cpu.Kernels;

namespace InferenceServer.Cpu.Emitting;

/// <summary>The emitted kernels of one format, and how a range of groups and tokens is cut into them. Immutable, thread-safe.</summary>
internal sealed unsafe class EmittedKernels
{
    /// <summary>Bytes of input, and of weights, that share a second-level cache.</summary>
    private const int CachedInput = 384 << 10;

    private const int CachedWeights = 256 << 10;

    private readonly int _maxTokens;
    private readonly int[] _groupsTogether; // by tokens
    private readonly delegate* unmanaged<DotCall*, void>[] _oneGroup;
    private readonly delegate* unmanaged<DotCall*, void>[] _someGroups;

    private EmittedKernels(int[] groupsTogether)
    {
        (_maxTokens, _groupsTogether) = (groupsTogether.Length - 1, groupsTogether);
        _oneGroup = new delegate* unmanaged<DotCall*, void>[groupsTogether.Length];
        _someGroups = new delegate* unmanaged<DotCall*, void>[groupsTogether.Length];
    }

    /// <summary>Null where the system lets no program make code.</summary>
    public static EmittedKernels? TryCreate(Func<DotEmitter> emitter)
    {
        EmittedCode code = new();
        int maxTokens = emitter().MaxTokens;
        int[] together = new int[maxTokens + 1], one = new int[maxTokens + 1], some = new int[maxTokens + 1];
        for (int tokens = 1; tokens <= maxTokens; tokens++)
        {
            together[tokens] = emitter().GroupsTogether(tokens);
            one[tokens] = code.Add(emitter().Emit(1, tokens));
            if (together[tokens] > 1) some[tokens] = code.Add(emitter().Emit(together[tokens], tokens));
        }

        byte* placed = code.TryPlace();
        if (placed is null) return null;
        EmittedKernels kernels = new(together);
        for (int tokens = 1; tokens <= maxTokens; tokens++)
        {
            kernels._oneGroup[tokens] = (delegate* unmanaged<DotCall*, void>)(placed + one[tokens]);
            kernels._someGroups[tokens] = (delegate* unmanaged<DotCall*, void>)(placed + some[tokens]);
        }

        return kernels;
    }

    /// <summary>
    /// Some groups' weights stay in the second-level cache while a block of tokens passes over them, and the block's input while the groups change.
    /// </summary>
    /// <param name="tile">Groups, tokens and where they lie.</param>
    /// <param name="turns">How often a kernel's loop runs.</param>
    public void Multiply(in LinearTile tile, int turns)
    {
        if (tile.Rows == 0) return;
        int tiles = (tile.Rows + _maxTokens - 1) / _maxTokens, together = _groupsTogether[(tile.Rows + tiles - 1) / tiles];
        int tilesInBlock = (int)Math.Max(1, CachedInput / (tile.InputStride * _maxTokens));
        int groupsInBlock = tiles <= tilesInBlock ? tile.Groups : (int)Math.Max(together, CachedWeights / tile.GroupStride / together * together);
        for (int group = 0; group < tile.Groups; group += groupsInBlock)
        {
            int lastGroup = Math.Min(tile.Groups, group + groupsInBlock);
            for (int first = 0; first < tiles; first += tilesInBlock)
                MultiplyBlock(tile, turns, group, lastGroup, together, tiles, first, Math.Min(tiles, first + tilesInBlock));
        }
    }

    private void MultiplyBlock(in LinearTile tile, int turns, int group, int lastGroup, int together, int tiles, int firstTile, int lastTile)
    {
        while (group < lastGroup)
        {
            int groups = lastGroup - group >= together ? together : 1;
            for (int i = firstTile; i < lastTile; i++)
            {
                int row = FirstRow(tile.Rows, tiles, i);
                Run(tile, turns, group, groups, row, FirstRow(tile.Rows, tiles, i + 1) - row);
            }

            group += groups;
        }
    }

    /// <summary>Tokens spread evenly over tiles.</summary>
    private static int FirstRow(int rows, int tiles, int tile) => (int)((long)rows * tile / tiles);

    private void Run(in LinearTile tile, int turns, int group, int groups, int row, int tokens)
    {
        DotCall call = new()
        {
            Weights = tile.Weights + group * tile.GroupStride,
            GroupStride = tile.GroupStride,
            Input = tile.Input + row * tile.InputStride,
            InputStride = tile.InputStride,
            Output = tile.Output + row * tile.OutputStride + group * Tile.GroupRows,
            OutputStride = tile.OutputStride * sizeof(float),
            Units = turns,
        };
        if (groups == _groupsTogether[tokens] && groups > 1) _someGroups[tokens](&call);
        else
        {
            for (int i = 0; i < groups; i++, call.Weights += tile.GroupStride, call.Output += Tile.GroupRows) _oneGroup[tokens](&call);
        }
    }
}
