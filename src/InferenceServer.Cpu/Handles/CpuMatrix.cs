using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Kernels;

namespace InferenceServer.Cpu.Handles;

/// <summary>Consecutive rows of one format, in groups of 16; the last group of a matrix is padded with zeros.</summary>
internal sealed unsafe class MatrixSection(WeightFormat format, int columns, int firstGroup, int groups, byte* weights)
{
    public WeightFormat Format { get; } = format;

    public int FirstGroup { get; } = firstGroup;

    public int Groups { get; } = groups;

    /// <summary>The backend's own memory, or a mapped file of its weights cache: read-only.</summary>
    public byte* Weights { get; } = weights;

    /// <summary>Bytes from one group to the next.</summary>
    public nint GroupStride { get; } = (nint)format.GroupBytes(columns);
}

/// <summary>A weight matrix: one section, or several where stacked tensors are stored in different formats.</summary>
internal sealed class CpuMatrix(int rows, int columns, MatrixSection[] sections) : Matrix(rows, columns)
{
    public ReadOnlySpan<MatrixSection> Sections => sections;

    public int Groups => (Rows + Tile.GroupRows - 1) / Tile.GroupRows;

    /// <summary>The section that holds a group of rows.</summary>
    public MatrixSection SectionOf(int group)
    {
        int i = 0;
        while (group >= sections[i].FirstGroup + sections[i].Groups) i++;
        return sections[i];
    }
}
