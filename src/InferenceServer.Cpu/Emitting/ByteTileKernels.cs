using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Kernels.Quantized;

namespace InferenceServer.Cpu.Emitting;

/// <summary>The tile kernels of one quantized format, and how a range of groups and tokens is cut into them. Immutable, thread-safe.</summary>
internal sealed unsafe class ByteTileKernels
{
    /// <summary>Bytes of input that share a second-level cache with what else passes through it.</summary>
    private const long CachedInput = 1 << 20;

    private readonly delegate*<byte*, int, int, byte*, void> _fill;
    private readonly delegate* unmanaged<DotCall*, void>[] _begin = new delegate* unmanaged<DotCall*, void>[ByteTiles.Tokens + 1]; // by tokens
    private readonly delegate* unmanaged<DotCall*, void>[] _add = new delegate* unmanaged<DotCall*, void>[ByteTiles.Tokens + 1];

    private ByteTileKernels(delegate*<byte*, int, int, byte*, void> fill) => _fill = fill;

    /// <summary>Bytes of a thread's scratch: a panel, and the sums of two blocks.</summary>
    public static int ScratchBytes => TilePanel.Bytes + 2 * TileShapes.TileBytes;

    /// <param name="hasMinimum">The format subtracts a minimum.</param>
    /// <param name="fill"><see cref="TilePanel{TFormat}.Fill"/></param>
    /// <returns>Null where the system lets no program make code.</returns>
    public static ByteTileKernels? TryCreate(bool hasMinimum, delegate*<byte*, int, int, byte*, void> fill)
    {
        EmittedCode code = new();
        int[] begin = new int[ByteTiles.Tokens + 1], add = new int[ByteTiles.Tokens + 1];
        for (int tokens = 1; tokens <= ByteTiles.Tokens; tokens++)
        {
            begin[tokens] = code.Add(new ByteTileEmitter(hasMinimum).Emit(tokens, adds: false));
            add[tokens] = code.Add(new ByteTileEmitter(hasMinimum).Emit(tokens, adds: true));
        }

        byte* placed = code.TryPlace();
        if (placed is null) return null;
        ByteTileKernels kernels = new(fill);
        for (int tokens = 1; tokens <= ByteTiles.Tokens; tokens++)
        {
            kernels._begin[tokens] = (delegate* unmanaged<DotCall*, void>)(placed + begin[tokens]);
            kernels._add[tokens] = (delegate* unmanaged<DotCall*, void>)(placed + add[tokens]);
        }

        return kernels;
    }

    /// <summary>A panel is unpacked once for all tokens whose input the second-level cache holds; that stays there while the groups change.</summary>
    /// <param name="tile">Its input is in <see cref="InputForm.ByteTiles"/>, its input stride that of sixteen tokens.</param>
    /// <param name="units">Of 64 columns.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> of the calling thread's own.</param>
    public void Multiply(in LinearTile tile, int units, byte* scratch)
    {
        int block = (int)Math.Max(1, CachedInput / tile.InputStride) * ByteTiles.Tokens;
        TileState.Configure(TileShapes.Bytes);
        for (int row = 0; row < tile.Rows; row += block)
        {
            for (int group = 0; group < tile.Groups; group++)
            {
                for (int unit = 0; unit < units; unit += TilePanel.Units)
                {
                    int count = Math.Min(TilePanel.Units, units - unit);
                    _fill(tile.Weights + group * tile.GroupStride, unit, count, scratch);
                    MultiplyPanel(tile, group, row, Math.Min(tile.Rows, row + block), unit, count, scratch);
                }
            }
        }

        TileState.Release();
    }

    private void MultiplyPanel(in LinearTile tile, int group, int firstRow, int lastRow, int firstUnit, int units, byte* panel)
    {
        DotCall call = new()
        {
            Weights = panel,
            Scratch = panel + TilePanel.Bytes,
            Input = tile.Input + firstRow / ByteTiles.Tokens * tile.InputStride + firstUnit * ByteTiles.UnitBytes,
            Output = tile.Output + firstRow * tile.OutputStride + group * Tile.GroupRows,
            OutputStride = tile.OutputStride * sizeof(float),
            Units = units,
        };
        delegate* unmanaged<DotCall*, void>[] kernels = firstUnit == 0 ? _begin : _add;
        for (int row = firstRow; row < lastRow; row += ByteTiles.Tokens, call.Input += tile.InputStride, call.Output += ByteTiles.Tokens * tile.OutputStride)
            kernels[Math.Min(ByteTiles.Tokens, lastRow - row)](&call);
    }
}
