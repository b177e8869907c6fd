using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;

namespace InferenceServer.Cpu.Ops;

/// <summary>Chooses how one thread multiplies a range of row groups: straight from the stored format, or through widened panels.</summary>
internal static unsafe class LinearLayer
{
    /// <summary>Columns in a panel of one group: 256 * 16 floats = 16 KB, half of a first-level cache.</summary>
    public const int PanelColumns = 256;

    public const int PanelFloats = PanelColumns * Tile.GroupRows;

    /// <summary>Groups that one token's kernel takes at once.</summary>
    public const int GroupsTogether = 4;

    /// <param name="matrix">Weights.</param>
    /// <param name="firstGroup">First group of 16 rows.</param>
    /// <param name="groups">How many.</param>
    /// <param name="input">(rows, matrix.Columns)</param>
    /// <param name="inputStride">Floats.</param>
    /// <param name="rows">Tokens.</param>
    /// <param name="output">(rows, groups * 16): begins at the first group's column.</param>
    /// <param name="outputStride">Floats.</param>
    /// <param name="panel">PanelFloats of scratch.</param>
    public static void Multiply(
        CpuMatrix matrix, int firstGroup, int groups, float* input, nint inputStride, int rows, float* output, nint outputStride, float* panel)
    {
        Tile tile = new()
        {
            Weights = matrix.Weights + firstGroup * matrix.GroupStride,
            GroupStride = matrix.GroupStride,
            WordStride = CpuMatrix.WordStride,
            Groups = groups,
            Input = input,
            InputStride = inputStride,
            Rows = rows,
            Columns = matrix.Columns,
            Output = output,
            OutputStride = outputStride,
        };
        if (rows < matrix.Kernels.MinTokensForPanels) matrix.Kernels.Multiply(&tile);
        else MultiplyPanels(matrix, tile, panel);
    }

    /// <summary>A panel stays in the first-level cache while all tokens pass over it; sums continue from panel to panel.</summary>
    private static void MultiplyPanels(CpuMatrix matrix, Tile whole, float* panel)
    {
        FormatKernels kernels = matrix.Kernels;
        Tile tile = whole;
        tile.Groups = 1;
        for (int group = 0; group < whole.Groups; group++)
        {
            byte* weights = whole.Weights + group * whole.GroupStride;
            tile.Output = whole.Output + group * Tile.GroupRows;
            for (int column = 0; column < whole.Columns; column += PanelColumns)
            {
                tile.Weights = weights + column / kernels.ColumnsPerWord * whole.WordStride;
                tile.Columns = Math.Min(PanelColumns, whole.Columns - column);
                tile.Input = whole.Input + column;
                tile.Accumulate = column > 0;
                if (kernels.Expand != null)
                {
                    kernels.Expand(tile.Weights, whole.WordStride, tile.Columns, panel);
                    tile.Weights = (byte*)panel;
                }

                kernels.MultiplyF32(&tile);
            }
        }
    }
}
