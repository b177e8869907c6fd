using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>
/// output = silu(input * gate^T) * (input * up^T). Items: groups of 16 output columns. Gate goes straight to the output, up to
/// scratch that stays in cache. Up begins at row ffn of the stack, which need not be a multiple of 16: then one more group is computed.
/// </summary>
internal sealed unsafe class GateUpJob(Workspace workspace, PreparedInputs inputs) : ParallelJob
{
    private const int ScratchStride = (LinearLayer.GroupsTogether + 1) * Tile.GroupRows;

    private CpuActivation _input = null!;
    private CpuActivation _output = null!;
    private CpuMatrix _gateUp = null!;

    public static long ScratchFloats(int maxRows) => LinearLayer.PanelFloats + (long)maxRows * ScratchStride;

    /// <summary>Items of a job: groups of the gate.</summary>
    public static int Groups(CpuMatrix gateUp) => (gateUp.Rows / 2 + Tile.GroupRows - 1) / Tile.GroupRows;

    public void Run(ForkJoinPool pool, CpuActivation input, CpuMatrix gateUp, CpuActivation output)
    {
        (_input, _gateUp, _output) = (input, gateUp, output);
        workspace.Reserve(ScratchFloats(output.MaxRows));
        inputs.Prepare(pool, input, gateUp);
        pool.Run(this, Groups(gateUp), LinearLayer.ChunkGroups(gateUp, Groups(gateUp), input.Rows, pool.Threads), (long)gateUp.Rows * gateUp.Columns * input.Rows);
    }

    public override void Execute(int begin, int end, int worker)
    {
        for (int group = begin; group < end; group += LinearLayer.GroupsTogether)
            Compute(group, Math.Min(LinearLayer.GroupsTogether, end - group), workspace[worker]);
    }

    private void Compute(int group, int groups, float* scratch)
    {
        float* up = scratch + LinearLayer.PanelFloats;
        int hidden = _gateUp.Rows / 2, column = group * Tile.GroupRows, rows = _input.Rows;
        int columns = Math.Min(groups * Tile.GroupRows, hidden - column);
        int upRow = hidden + column, upGroup = upRow / Tile.GroupRows, upOffset = upRow % Tile.GroupRows;
        int upGroups = (upOffset + columns + Tile.GroupRows - 1) / Tile.GroupRows;
        LinearLayer.Multiply(
            _gateUp, group, groups, inputs, rows, _output.Values + column, _output.Stride, scratch);
        LinearLayer.Multiply(_gateUp, upGroup, upGroups, inputs, rows, up, ScratchStride, scratch);
        int padded = groups * Tile.GroupRows;
        for (int row = 0; row < rows; row++)
        {
            float* gate = _output.Row(row) + column;
            RowMath.SiluMultiply(gate, up + (long)row * ScratchStride + upOffset, padded);
            if (columns < padded) new Span<float>(gate + columns, padded - columns).Clear();
        }
    }
}
