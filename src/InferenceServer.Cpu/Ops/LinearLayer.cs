using InferenceServer.Cpu.Emitting;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;

namespace InferenceServer.Cpu.Ops;

/// <summary>One thread's share of a product: a range of row groups, whichever formats they are in.</summary>
internal static unsafe class LinearLayer
{
    /// <summary>Columns in a panel of one group: 256 * 16 floats = 16 KB, half of a first-level cache.</summary>
    public const int PanelColumns = 256;

    /// <summary>What a thread multiplying needs of its own: room for either kind of panel.</summary>
    public static readonly int PanelFloats = Math.Max(PanelColumns * Tile.GroupRows, ByteTileKernels.ScratchBytes / sizeof(float));

    /// <summary>More tokens than this are computed for longer than their weights are read.</summary>
    public const int ManyRows = 64;
    private const int ChunksPerThread = 4;

    /// <summary>Groups that one token's kernel takes at once.</summary>
    public const int GroupsTogether = 4;

    /// <summary>Groups that a thread claims at once: small, so that none is waited for long; whole kernels of few tokens, what the format likes of many.</summary>
    /// <param name="matrix">Its first section decides.</param>
    /// <param name="groups">In all.</param>
    /// <param name="rows">Tokens.</param>
    /// <param name="threads">That share them.</param>
    public static int ChunkGroups(CpuMatrix matrix, int groups, int rows, int threads) =>
        rows <= ManyRows ? GroupsTogether : Math.Clamp(groups / (ChunksPerThread * threads), 1, matrix.Sections[0].Format.GroupsOfManyTokens);

    /// <param name="matrix">Weights.</param>
    /// <param name="firstGroup">First group of 16 rows.</param>
    /// <param name="groups">How many.</param>
    /// <param name="inputs">Prepared for <paramref name="matrix"/>.</param>
    /// <param name="rows">Tokens.</param>
    /// <param name="output">(rows, groups * 16): begins at the first group's column.</param>
    /// <param name="outputStride">Floats.</param>
    /// <param name="scratch">PanelFloats of the thread's own.</param>
    public static void Multiply(
        CpuMatrix matrix, int firstGroup, int groups, PreparedInputs inputs, int rows, float* output, nint outputStride, float* scratch)
    {
        while (groups > 0)
        {
            MatrixSection section = matrix.SectionOf(firstGroup);
            int offset = firstGroup - section.FirstGroup, count = Math.Min(groups, section.Groups - offset);
            LinearTile tile = new()
            {
                Weights = section.Weights + offset * section.GroupStride,
                GroupStride = section.GroupStride,
                Groups = count,
                Input = inputs[section.Format.InputFor(rows)],
                InputStride = inputs.Stride(section.Format.InputFor(rows)),
                Rows = rows,
                Columns = matrix.Columns,
                Output = output,
                OutputStride = outputStride,
            };
            section.Format.Multiply(tile, scratch);
            firstGroup += count;
            groups -= count;
            output += (long)count * Tile.GroupRows;
        }
    }
}
