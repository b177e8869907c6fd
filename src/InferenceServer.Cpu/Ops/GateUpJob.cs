using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>
/// output = silu(input * gate^T) * (input * up^T). Items: groups of 16 output columns. Gate goes straight to the output, up to
/// scratch that stays in cache: a few groups of many tokens, or many of few, since every change from one stream of weights to the other costs a start from
/// cold. Up begins at row ffn of the stack, which need not be a multiple of 16: then one more group is computed.
/// </summary>
internal sealed unsafe class GateUpJob(Workspace workspace, PreparedInputs inputs) : ParallelJob
{
    private const int LeastStride = (LinearLayer.GroupsTogether + 1) * Tile.GroupRows;
    private const int CachedFloats = 8192;

    private CpuActivation _input = null!;
    private CpuActivation _output = null!;
    private CpuMatrix _gateUp = null!;

    public static long ScratchFloats(int maxRows) => LinearLayer.PanelFloats + Math.Max(CachedFloats, (long)maxRows * LeastStride);

    /// <summary>Items of a job: groups of the gate.</summary>
    public static int Groups(CpuMatrix gateUp) => (gateUp.Rows / 2 + Tile.GroupRows - 1) / Tile.GroupRows;

    public override bool Tapers => _input.Rows <= LinearLayer.ManyRows;

    public void Run(ForkJoinPool pool, CpuActivation input, CpuMatrix gateUp, CpuActivation output)
    {
        (_input, _gateUp, _output) = (input, gateUp, output);
        workspace.Reserve(ScratchFloats(output.MaxRows));
        inputs.Prepare(pool, input, gateUp);
        pool.Run(this, Groups(gateUp), LinearLayer.ChunkGroups(gateUp, Groups(gateUp), input.Rows, pool.Threads), (long)gateUp.Rows * gateUp.Columns * input.Rows);
    }

    public override void Execute(int begin, int end, int worker)
    {
        if (_input.Rows == 0) return;
        int stride = Math.Max(LeastStride, CachedFloats / _input.Rows / Tile.GroupRows * Tile.GroupRows);
        int together = (stride / Tile.GroupRows - 1) / LinearLayer.GroupsTogether * LinearLayer.GroupsTogether;
        for (int group = begin; group < end; group += together)
            Compute(group, Math.Min(together, end - group), workspace[worker], stride);
    }

    private void Compute(int group, int groups, float* scratch, int stride)
    {
        float* up = scratch + LinearLayer.PanelFloats;
        int hidden = _gateUp.Rows / 2, column = group * Tile.GroupRows, rows = _input.Rows;
        int columns = Math.Min(groups * Tile.GroupRows, hidden - column);
        int upRow = hidden + column, upGroup = upRow / Tile.GroupRows, upOffset = upRow % Tile.GroupRows;
        int upGroups = (upOffset + columns + Tile.GroupRows - 1) / Tile.GroupRows;
        LinearLayer.Multiply(
            _gateUp, group, groups, inputs, rows, _output.Values + column, _output.Stride, scratch);
        LinearLayer.Multiply(_gateUp, upGroup, upGroups, inputs, rows, up, stride, scratch);
        int padded = groups * Tile.GroupRows;
        for (int row = 0; row < rows; row++)
        {
            float* gate = _output.Row(row) + column;
            RowMath.SiluMultiply(gate, up + (long)row * stride + upOffset, padded);
            if (columns < padded) new Span<float>(gate + columns, padded - columns).Clear();
        }
    }
}
