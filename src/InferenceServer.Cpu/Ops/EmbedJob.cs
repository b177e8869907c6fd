using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>
/// hidden[t] = table[token t], gathered out of the interleaved layout: a tied embedding needs no second copy for it. Items: tokens.
/// </summary>
internal sealed unsafe class EmbedJob : ParallelJob
{
    private CpuMatrix _table = null!;
    private int[] _tokens = null!;
    private CpuActivation _hidden = null!;

    public void Run(ForkJoinPool pool, CpuMatrix table, int[] tokens, CpuActivation hidden)
    {
        (_table, _tokens, _hidden) = (table, tokens, hidden);
        pool.Run(this, hidden.Rows, 4, (long)hidden.Rows * hidden.Columns * 8); // a gathered word costs about eight multiply-adds
    }

    public override void Execute(int begin, int end, int worker)
    {
        for (int t = begin; t < end; t++)
        {
            int row = _tokens[t];
            uint* words = (uint*)(_table.Weights + row / Tile.GroupRows * _table.GroupStride) + row % Tile.GroupRows;
            Gather(words, _table.Kernels.Type, _hidden.Row(t), _table.Columns);
        }
    }

    private static void Gather(uint* words, ElementType type, float* output, int columns)
    {
        for (int k = 0; k < columns; k++)
        {
            output[k] = type switch
            {
                ElementType.F32 => BitConverter.UInt32BitsToSingle(words[(long)k * Tile.GroupRows]),
                ElementType.BF16 => BitConverter.UInt32BitsToSingle(Half16(words, k) << 16),
                _ => (float)BitConverter.UInt16BitsToHalf((ushort)Half16(words, k)),
            };
        }
    }

    private static uint Half16(uint* words, int column) => (words[(long)(column / 2) * Tile.GroupRows] >> (column % 2 * 16)) & 0xFFFF;
}
