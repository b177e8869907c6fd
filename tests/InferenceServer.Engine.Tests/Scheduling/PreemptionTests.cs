using InferenceServer.Engine.Tests.Simulation;
using Xunit;

namespace InferenceServer.Engine.Tests.Scheduling;

public class PreemptionTests
{
    /// <summary>The blocks that a preemption frees are for those who run: a newcomer who took them would be the next preemption's cause.</summary>
    [Fact]
    public void Nobody_is_admitted_in_a_step_that_preempts()
    {
        int step = StepOfFirstPreemption();
        using EngineHarness harness = TwoThatOutgrowThePool();
        harness.Step(step - 1);
        Assert.Equal(2, harness.Status.SequencesRunning);
        Assert.Equal(0, harness.Status.PreemptionsTotal);

        Received urgent = harness.Accept(EngineHarness.Request("urgent", prompt: 2, maxTokens: 2, firstToken: 500) with { Priority = -1 });
        harness.Step();
        Assert.Equal(1, harness.Status.PreemptionsTotal);
        Assert.Equal(1, harness.Status.SequencesRunning);
        harness.Step();
        Assert.Equal(2, harness.Status.SequencesRunning); // the urgent one comes before the one that was sent back
        harness.Finish(urgent);
    }

    private static int StepOfFirstPreemption()
    {
        using EngineHarness harness = TwoThatOutgrowThePool();
        for (int step = 1; ; step++)
        {
            harness.Step();
            if (harness.Status.PreemptionsTotal > 0) return step;
        }
    }

    private static EngineHarness TwoThatOutgrowThePool()
    {
        EngineHarness harness = new(EngineHarness.Limits(blocks: 9, blockSize: 4, context: 36));
        harness.Accept(EngineHarness.Request("first", prompt: 8, maxTokens: 16));
        harness.Accept(EngineHarness.Request("second", prompt: 8, maxTokens: 16, firstToken: 100));
        return harness;
    }
}
