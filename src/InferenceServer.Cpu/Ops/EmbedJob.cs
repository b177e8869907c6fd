using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>
/// hidden[t] = table[token t], gathered out of the groups' layout: a tied embedding needs no second copy for it. Items: tokens.
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
            int row = _tokens[t], group = row / Tile.GroupRows;
            MatrixSection section = _table.SectionOf(group);
            byte* weights = section.Weights + (group - section.FirstGroup) * section.GroupStride;
            section.Format.Unpack(weights, row % Tile.GroupRows, _table.Columns, _hidden.Row(t));
        }
    }
}
