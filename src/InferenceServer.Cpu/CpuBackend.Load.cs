using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Cache;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
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
        List<(ElementType Type, List<HostTensor> Tensors)> runs = Runs(use, stacked);
        MatrixSection[] sections = new MatrixSection[runs.Count];
        RepackJob?[] jobs = new RepackJob?[runs.Count];
        int groups = 0;
        for (int i = 0; i < sections.Length; i++)
        {
            sections[i] = Place(runs[i].Tensors, _kernels[runs[i].Type], groups, out jobs[i]);
            groups += sections[i].Groups;
        }

        CpuMatrix matrix = new((int)rows, first.Columns, sections);
        if (Array.Exists(jobs, job => job is not null)) new RepackMatrixJob(matrix, jobs).Run(_pool, halves: use == MatrixUse.GateUp);
        for (int i = 0; i < sections.Length; i++)
        {
            if (_weightCache is not null && jobs[i] is not null)
                _weightCache.Add(NameOf(runs[i].Tensors, sections[i]), sections[i].Weights, sections[i].Groups * (long)sections[i].GroupStride);
        }

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

    /// <summary>
    /// Called once all matrices are loaded: leaves them in the weights cache if they are not all there yet. What was loaded from it stays mapped until
    /// <see cref="Dispose"/>. Null without <see cref="CpuOptions.WeightCache"/>.
    /// </summary>
    public WeightCacheReport? CompleteWeights()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _weightCache?.Complete();
    }

    /// <summary>A section in the weights cache, with nothing left to do, or in memory of its own, with a job that fills it.</summary>
    private MatrixSection Place(List<HostTensor> tensors, WeightFormat format, int firstGroup, out RepackJob? job)
    {
        int columns = tensors[0].Columns;
        int groups = (int)((tensors.Sum(t => t.Rows) + Tile.GroupRows - 1) / Tile.GroupRows);
        long bytes = checked(groups * format.GroupBytes(columns));
        byte* weights = null;
        if (_weightCache is not null) weights = _weightCache.Find(WeightCache.NameOf(tensors, format, columns, groups), bytes);
        job = null;
        if (weights is null)
        {
            weights = _weights.Take(bytes, $"matrix {tensors[0].Name}");
            _workspace.Reserve(RepackJob.ScratchFloats(format, columns));
            job = new RepackJob(tensors, format, columns, _workspace, weights);
        }

        return new MatrixSection(format, columns, firstGroup, groups, weights);
    }

    private static string NameOf(List<HostTensor> tensors, MatrixSection section) =>
        WeightCache.NameOf(tensors, section.Format, tensors[0].Columns, section.Groups);
}
