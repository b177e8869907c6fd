using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Kernels.Quantized;

namespace InferenceServer.Cpu.Emitting;

/// <summary>The tile kernels of one quantized format, and how a range of groups and tokens is cut into them. Immutable, thread-safe.</summary>
internal sealed unsafe class ByteTileKernels
{
    /// <summary>Bytes of input that share a second-level cache with what else passes through it.</summary>
    private const long CachedInput = 1 << 20;

    private readonly delegate*<byte*, int, int, byte*, void> _fill;
    private readonly int _unitBytes;
    private readonly delegate* unmanaged<DotCall*, void>[] _kernels = new delegate* unmanaged<DotCall*, void>[4 * (ByteTiles.Tokens + 1)];

    private ByteTileKernels(delegate*<byte*, int, int, byte*, void> fill, int unitBytes)
    {
        _fill = fill;
        _unitBytes = unitBytes;
    }

    /// <summary>Bytes of a thread's scratch: a panel, and the sums of two blocks.</summary>
    public static int ScratchBytes => TilePanel.Bytes + 2 * TileShapes.TileBytes;

    /// <summary>Null where the system lets no program make code.</summary>
    public static ByteTileKernels? TryCreate<TFormat>()
        where TFormat : struct, IBlockFormat<BytesAvx512, LanesAvx512>
    {
        EmittedCode code = new();
        ByteTileKernels kernels = new(&TilePanel<TFormat>.Fill, TilePanel<TFormat>.UnitBytes);
        int[] starts = new int[kernels._kernels.Length];
        for (int i = 0; i < starts.Length; i++)
        {
            int tokens = i / 4;
            if (tokens > 0) starts[i] = code.Add(new ByteTileEmitter(TFormat.HasMinimum, (i & 2) != 0 ? kernels._unitBytes : 0).Emit(tokens, adds: (i & 1) != 0));
        }

        byte* placed = code.TryPlace();
        if (placed is null) return null;
        for (int i = 0; i < starts.Length; i++) kernels._kernels[i] = (delegate* unmanaged<DotCall*, void>)(placed + starts[i]);
        return kernels;
    }

    /// <summary>A kernel's place in the table.</summary>
    private static int Index(int tokens, bool isFirst, bool adds) => 4 * tokens + (isFirst ? 2 : 0) + (adds ? 1 : 0);

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
            Ahead = tile.Weights + group * tile.GroupStride + (long)(firstUnit + units) * _unitBytes,
        };
        for (int row = firstRow; row < lastRow; row += ByteTiles.Tokens, call.Input += tile.InputStride, call.Output += ByteTiles.Tokens * tile.OutputStride)
            _kernels[Index(Math.Min(ByteTiles.Tokens, lastRow - row), row == firstRow, firstUnit > 0)](&call);
    }
}
