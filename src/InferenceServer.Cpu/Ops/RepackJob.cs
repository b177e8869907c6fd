using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>
/// Stacked row-major tensors to groups of 16 rows in a format's layout, converted first where they are stored in another type. Items: groups.
/// Memory beside the destination: sixteen rows a thread.
/// </summary>
internal sealed unsafe class RepackJob(IReadOnlyList<HostTensor> sources, WeightFormat format, int columns, Workspace workspace, byte* destination) : ParallelJob
{
    private readonly nint _groupBytes = (nint)format.GroupBytes(columns);
    private readonly int _rowBytes = RowBytes(format.Type, columns);

    /// <summary>Scratch of a thread.</summary>
    public static long ScratchFloats(WeightFormat format, int columns) => columns + 16L + (long)Tile.GroupRows * RowBytes(format.Type, columns) / sizeof(float);

    public override void Execute(int begin, int end, int worker)
    {
        float* values = workspace[worker];
        byte* stored = (byte*)(values + (columns + 15) / 16 * 16);
        byte** rows = stackalloc byte*[Tile.GroupRows];
        for (int group = begin; group < end; group++)
        {
            for (int row = 0; row < Tile.GroupRows; row++)
            {
                byte* target = stored + (long)row * _rowBytes;
                rows[row] = CopyRow((long)group * Tile.GroupRows + row, values, target) ? target : null;
            }

            format.Pack(rows, columns, destination + group * _groupBytes);
        }
    }

    /// <summary>A row's bytes for <see cref="WeightFormat.Pack"/>, rounded up so that every row begins at a whole float.</summary>
    private static int RowBytes(ElementType type, int columns) => checked((int)(type.RowBytes(columns) + 3) / 4 * 4);

    /// <summary>False for the padding after the last row.</summary>
    private bool CopyRow(long row, float* values, byte* target)
    {
        foreach (HostTensor source in sources)
        {
            if (row >= source.Rows)
            {
                row -= source.Rows;
                continue;
            }

            ReadOnlySpan<byte> stored = CheckedRow(source, row);
            if (source.Type == format.Type)
            {
                stored.CopyTo(new Span<byte>(target, _rowBytes));
            }
            else
            {
                HostValues.Widen(stored, source.Type, new Span<float>(values, columns));
                Conversion.FromFloats(values, columns, format.Type, target);
            }

            return true;
        }

        return false;
    }

    private ReadOnlySpan<byte> CheckedRow(HostTensor source, long row)
    {
        ReadOnlySpan<byte> stored = source.Row(row);
        if (stored.Length != source.Type.RowBytes(columns))
            throw new ArgumentException($"Row {row} of {source.Name} has {stored.Length} bytes; {columns} columns of {source.Type} take {source.Type.RowBytes(columns)}.");
        return stored;
    }
}
