using InferenceServer.Core.Stepping;
using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>Chooses a token per row. Items: rows.</summary>
internal sealed unsafe class SampleJob(ISampler sampler) : ParallelJob
{
    private CpuActivation _logits = null!;
    private StepPlan _plan = null!;
    private StepResult _result = null!;

    public void Run(ForkJoinPool pool, CpuActivation logits, StepPlan plan, StepResult result)
    {
        (_logits, _plan, _result) = (logits, plan, result);
        pool.Run(this, plan.RowCount, 1, (long)plan.RowCount * logits.Columns * 4);
    }

    public override void Execute(int begin, int end, int worker)
    {
        for (int row = begin; row < end; row++)
            sampler.Sample(new Span<float>(_logits.Row(row), _logits.Columns), in _plan.Rows[row], ref _result.Rows[row]);
    }
}
