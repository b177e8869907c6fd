using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Memory;
using InferenceServer.Cpu.Ops;

namespace InferenceServer.Cpu;

/// <summary>Weights to the kernels' layouts.</summary>
public sealed unsafe partial class CpuBackend
{
    /// <summary>Bytes that a tensor takes once it is loaded: converted, padded to groups of 16 rows, vectors as f32.</summary>
    public long WeightBytes(MatrixUse use, HostTensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.Shape.Count < 2) return (long)CpuActivation.PaddedColumns(tensor.Columns) * sizeof(float);
        long groups = (tensor.Rows + Tile.GroupRows - 1) / Tile.GroupRows;
        return checked(groups * _kernels[TypeOf(use, tensor)].GroupBytes(tensor.Columns));
    }

    public Matrix LoadMatrix(MatrixUse use, params IReadOnlyList<HostTensor> stacked)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (stacked.Count == 0) throw new ArgumentException("A matrix needs at least one tensor.", nameof(stacked));
        HostTensor first = stacked[0];
        long rows = 0;
        foreach (HostTensor tensor in stacked)
        {
            if (tensor.Columns != first.Columns)
                throw new ArgumentException(
                    $"Tensors stacked into one matrix must agree in columns: {first.Name} has {first.Columns}, {tensor.Name} {tensor.Columns}.", nameof(stacked));
            rows = checked(rows + tensor.Rows);
        }

        if (rows > int.MaxValue - Tile.GroupRows)
            throw new ArgumentException($"{first.Name} and what is stacked on it have {rows} rows; a matrix holds at most {int.MaxValue - Tile.GroupRows}.", nameof(stacked));
        List<MatrixSection> sections = [];
        List<RepackJob> jobs = [];
        int groups = 0;
        foreach ((ElementType type, List<HostTensor> tensors) in Runs(use, stacked))
        {
            MatrixSection section = Allocate(tensors, _kernels[type], groups);
            sections.Add(section);
            jobs.Add(new RepackJob(tensors, section.Format, first.Columns, _workspace, section.Weights));
            groups += section.Groups;
        }

        CpuMatrix matrix = new((int)rows, first.Columns, [.. sections]);
        new RepackMatrixJob(matrix, [.. jobs]).Run(_pool, halves: use == MatrixUse.GateUp);
        return matrix;
    }

    /// <summary>Neighbours of one type together. A section begins at a whole group; where that is impossible everything becomes f32.</summary>
    private List<(ElementType Type, List<HostTensor> Tensors)> Runs(MatrixUse use, IReadOnlyList<HostTensor> stacked)
    {
        List<(ElementType Type, List<HostTensor> Tensors)> runs = [];
        long rows = 0;
        foreach (HostTensor tensor in stacked)
        {
            ElementType type = TypeOf(use, tensor);
            if (runs.Count > 0 && runs[^1].Type == type) runs[^1].Tensors.Add(tensor);
            else if (rows % Tile.GroupRows == 0) runs.Add((type, [tensor]));
            else return [(ElementType.F32, [.. stacked])];
            rows += tensor.Rows;
        }

        return runs;
    }

    private ElementType TypeOf(MatrixUse use, HostTensor tensor)
    {
        ElementType wanted = _options.Weights switch
        {
            WeightPrecision.F32 => ElementType.F32,
            WeightPrecision.BF16 => ElementType.BF16,
            WeightPrecision.Q8 => ElementType.Q8,
            WeightPrecision.Q4 => use is MatrixUse.Embedding or MatrixUse.Head ? ElementType.Q8 : ElementType.Q4,
            _ => tensor.Type,
        };
        bool possible = (wanted == ElementType.F32 || !tensor.Type.IsQuantized()) && tensor.Columns % wanted.BlockColumns() == 0;
        return possible ? wanted : tensor.Type;
    }

    private MatrixSection Allocate(List<HostTensor> tensors, WeightFormat format, int firstGroup)
    {
        int columns = tensors[0].Columns;
        long rows = tensors.Sum(t => t.Rows);
        int groups = (int)((rows + Tile.GroupRows - 1) / Tile.GroupRows);
        NativeBuffer buffer = Allocate(checked(groups * format.GroupBytes(columns)), $"matrix {tensors[0].Name}");
        _workspace.Reserve(RepackJob.ScratchFloats(format, columns));
        return new MatrixSection(format, columns, firstGroup, groups, buffer);
    }
}
