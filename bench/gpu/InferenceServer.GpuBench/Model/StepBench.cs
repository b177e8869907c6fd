using System.Diagnostics;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.GpuBench.Shapes;

namespace InferenceServer.GpuBench.Model;

/// <summary>
/// Decode steps without the engine: plans are made by hand over contexts that nobody computed, so that every batch and context costs a fraction
/// of a second. What the KV pool holds there is whatever was in it; the work of a step does not depend on it.
/// </summary>
internal sealed class StepBench(IModelRunner runner, ModelShape shape, ModelSizes sizes, Floor floor, ResultLog log)
{
    private readonly RunnerLimits _limits = runner.Limits;

    public void Run(TimeBudget budget)
    {
        foreach (int context in sizes.Contexts)
            foreach (int batch in sizes.Batches)
            {
                string what = $"{shape.Name}, steps alone, batch {batch}, context {context}";
                long blocks = (long)batch * BlocksOf(context);
                if (blocks > _limits.BlockCount) log.Missing(what, $"needs {blocks} KV blocks; the memory left for the pool gave {_limits.BlockCount}");
                else if (budget.Allows(what, log)) log.Try(what, () => Measure(batch, context));
            }
    }

    private void Measure(int batch, int context)
    {
        // Two plans, for two steps in flight: the next one is launched before this one is awaited, as the engine does.
        StepPlan[] plans = [PlanOf(batch, context), PlanOf(batch, context)];
        StepResult result = new(batch);
        int ahead = _limits.MaxStepsInFlight, launched = 0, warm = Math.Max(sizes.WarmSteps, 2 * ahead), all = warm + sizes.TimedSteps;
        long started = 0;
        for (int awaited = 0; awaited < all; awaited++)
        {
            while (launched < Math.Min(awaited + ahead, all)) Launch(plans[launched % 2], launched++);
            runner.Await(result);
            if (awaited == warm - 1) started = Stopwatch.GetTimestamp();
        }

        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds / sizes.TimedSteps;
        double least = floor.Seconds(shape, batch, (long)batch * context);
        log.Write("decode steps alone", ("model", shape.Name), ("batch", batch), ("context", context), ("ms_a_step", seconds * 1e3), ("tokens_per_s", batch / seconds),
            ("floor ms", least * 1e3), ("share of floor", least / seconds));
    }

    private void Launch(StepPlan plan, int index)
    {
        plan.StepIndex = index + 1;
        for (int i = 0; i < plan.TokenCount; i++) // after the first step a token is what the step before chose, if the device can do that
            plan.TokenIds[i] = index > 0 && runner.CanFeedBack(in plan.Rows[i]) ? ~i : TokenOf(i);
        runner.Launch(plan);
    }

    private StepPlan PlanOf(int batch, int context)
    {
        StepPlan plan = new(batch, batch, batch) { TokenCount = batch, SequenceCount = batch, RowCount = batch };
        SamplingParameters greedy = new() { Temperature = 0 };
        int blocks = BlocksOf(context), position = context - 1;
        for (int i = 0; i < batch; i++)
        {
            int[] table = new int[blocks];
            for (int b = 0; b < blocks; b++) table[b] = b * batch + i; // blocks of different sequences lie between each other, as they do after a while
            plan.TokenIds[i] = TokenOf(i);
            plan.Positions[i] = position;
            plan.TokenSequences[i] = i;
            plan.Slots[i] = table[position / _limits.BlockSize] * _limits.BlockSize + position % _limits.BlockSize;
            plan.Sequences[i] = new StepSequence { FirstToken = i, TokenCount = 1, ComputedTokens = position, BlockTable = table, BlockCount = blocks };
            plan.Rows[i] = new LogitsRow { Token = i, Sequence = i, Kind = LogitsRowKind.Sample, Position = context, Sampling = new SamplingState(greedy, 1, [], []) };
        }

        return plan;
    }

    private int TokenOf(int sequence) => (int)((sequence * 7919L + 11) % _limits.VocabularySize);

    private int BlocksOf(int context) => (context + _limits.BlockSize - 1) / _limits.BlockSize;
}
