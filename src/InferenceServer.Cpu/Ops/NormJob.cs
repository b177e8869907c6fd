using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>RMSNorm of each row, after adding a delta to it where there is one. Items: rows.</summary>
internal sealed unsafe class NormJob : ParallelJob
{
    private CpuActivation _input = null!;
    private CpuActivation? _delta;
    private CpuVector _gain = null!;
    private float _epsilon;
    private CpuActivation _output = null!;

    public void Run(ForkJoinPool pool, CpuActivation input, CpuActivation? delta, CpuVector gain, float epsilon, CpuActivation output)
    {
        (_input, _delta, _gain, _epsilon, _output) = (input, delta, gain, epsilon, output);
        pool.Run(this, input.Rows, 4, (long)input.Rows * input.Columns * 4);
    }

    public override void Execute(int begin, int end, int worker)
    {
        int columns = _input.Columns;
        for (int row = begin; row < end; row++)
        {
            float* values = _input.Row(row);
            if (_delta is not null) RowMath.Add(values, _delta.Row(row), columns);
            RowMath.Scale(values, RowMath.InverseRms(values, columns, _epsilon), _gain.Values, _output.Row(row), columns);
        }
    }
}
