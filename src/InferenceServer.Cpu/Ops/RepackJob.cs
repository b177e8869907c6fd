using System.Runtime.InteropServices;
using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>
/// Copies stacked row-major tensors into groups of 16 rows interleaved by 32-bit words. Items: groups. Needs no memory beside the
/// destination, and reads each source byte once.
/// </summary>
internal sealed unsafe class RepackJob(IReadOnlyList<HostTensor> sources, FormatKernels kernels, int columns, byte* destination) : ParallelJob
{
    /// <summary>Words of a row copied before the next row's turn: 256 * 64 bytes of destination stay in the first-level cache.</summary>
    private const int BlockWords = 256;

    private readonly int _words = kernels.WordsPerRow(columns);

    public override void Execute(int begin, int end, int worker)
    {
        for (int group = begin; group < end; group++)
        {
            uint* target = (uint*)(destination + group * CpuMatrix.GroupBytes(columns, kernels));
            for (int word = 0; word < _words; word += BlockWords)
            {
                for (int row = 0; row < Tile.GroupRows; row++)
                    CopyWords((long)group * Tile.GroupRows + row, word, Math.Min(BlockWords, _words - word), target + (long)word * Tile.GroupRows + row);
            }
        }
    }

    private void CopyWords(long row, int firstWord, int words, uint* target)
    {
        ReadOnlySpan<byte> source = SourceRow(row);
        if (!source.IsEmpty) source = source[(firstWord * sizeof(uint))..];
        ReadOnlySpan<uint> whole = MemoryMarshal.Cast<byte, uint>(source);
        int copied = Math.Min(words, whole.Length);
        for (int i = 0; i < copied; i++, target += Tile.GroupRows) *target = whole[i];
        for (int i = copied; i < words; i++, target += Tile.GroupRows)
            *target = i == whole.Length && source.Length % sizeof(uint) != 0 ? MemoryMarshal.Read<ushort>(source[(i * sizeof(uint))..]) : 0u;
    }

    /// <summary>Empty for the padding after the last row.</summary>
    private ReadOnlySpan<byte> SourceRow(long row)
    {
        foreach (HostTensor source in sources)
        {
            if (row < source.Rows) return CheckedRow(source, row);
            row -= source.Rows;
        }

        return [];
    }

    private ReadOnlySpan<byte> CheckedRow(HostTensor source, long row)
    {
        ReadOnlySpan<byte> stored = source.Row(row);
        if (stored.Length != columns * source.Type.Bytes())
            throw new ArgumentException($"Row {row} of {source.Name} has {stored.Length} bytes; {columns} columns of {source.Type} take {columns * source.Type.Bytes()}.");
        return stored;
    }
}
