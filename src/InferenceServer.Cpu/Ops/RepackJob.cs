using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>
/// Stacked row-major tensors to groups of 16 rows in a format's layout, converted first where they are stored in another type. Items: groups.
/// Memory beside the destination: sixteen rows a thread, and none where rows of the format's type stay in place.
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
        byte* copies = (byte*)(values + (columns + 15) / 16 * 16);
        byte** rows = stackalloc byte*[Tile.GroupRows];
        for (int group = begin; group < end; group++)
        {
            for (int row = 0; row < Tile.GroupRows; row++)
                rows[row] = StoredRow((long)group * Tile.GroupRows + row, values, copies + (long)row * _rowBytes);
            format.Pack(rows, columns, destination + group * _groupBytes);
        }
    }

    /// <summary>A row's bytes for <see cref="WeightFormat.Pack"/>, rounded up so that every row begins at a whole float.</summary>
    private static int RowBytes(ElementType type, int columns) => checked((int)(type.RowBytes(columns) + 3) / 4 * 4);

    /// <summary>A row in the format's type: where it lies if it stays there, else a copy. Null for the padding after the last row.</summary>
    private byte* StoredRow(long row, float* values, byte* copy)
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
                if (source.StaysInPlace) return (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(stored));
                stored.CopyTo(new Span<byte>(copy, _rowBytes));
            }
            else
            {
                HostValues.Widen(stored, source.Type, new Span<float>(values, columns));
                Conversion.FromFloats(values, columns, format.Type, copy);
            }

            return copy;
        }

        return null;
    }

    private ReadOnlySpan<byte> CheckedRow(HostTensor source, long row)
    {
        ReadOnlySpan<byte> stored = source.Row(row);
        if (stored.Length != source.Type.RowBytes(columns))
            throw new ArgumentException($"Row {row} of {source.Name} has {stored.Length} bytes; {columns} columns of {source.Type} take {source.Type.RowBytes(columns)}.");
        return stored;
    }
}
