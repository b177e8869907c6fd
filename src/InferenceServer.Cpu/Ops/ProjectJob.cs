using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>output = input * weight^T (+ bias). Items: groups of 16 weight rows.</summary>
internal sealed unsafe class ProjectJob(Workspace workspace, PreparedInputs inputs) : ParallelJob
{
    private CpuActivation _input = null!;
    private CpuActivation _output = null!;
    private CpuMatrix _weight = null!;
    private CpuVector? _bias;

    public override bool Tapers => _input.Rows <= LinearLayer.ManyRows;

    public void Run(ForkJoinPool pool, CpuActivation input, CpuMatrix weight, CpuVector? bias, CpuActivation output)
    {
        (_input, _weight, _bias, _output) = (input, weight, bias, output);
        workspace.Reserve(LinearLayer.PanelFloats);
        inputs.Prepare(pool, input, weight);
        pool.Run(this, weight.Groups, LinearLayer.ChunkGroups(weight, weight.Groups, input.Rows, pool.Threads), (long)weight.Rows * weight.Columns * input.Rows);
    }

    public override void Execute(int begin, int end, int worker)
    {
        int column = begin * Tile.GroupRows, rows = _input.Rows;
        LinearLayer.Multiply(
            _weight, begin, end - begin, inputs, rows, _output.Values + column, _output.Stride, workspace[worker]);
        if (_bias is null) return;
        int columns = (end - begin) * Tile.GroupRows;
        for (int row = 0; row < rows; row++) RowMath.Add(_output.Row(row) + column, _bias.Values + column, columns);
    }
}
