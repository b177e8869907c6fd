using InferenceServer.Core.Compute;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.StandIn.Driver;

namespace InferenceServer.Cuda.Tests.Backend;

/// <summary>A backend on the stand-in, with what single ops need around them.</summary>
internal sealed class Rig : IDisposable
{
    private static readonly SamplingState Greedy = new(new SamplingParameters { Temperature = 0 }, 0, [], []);

    private readonly StandInDriver _driver = GpuStandIn.Create();
    private readonly KvCache _cache;
    private long _steps;

    public Rig(ElementType precision = ElementType.BF16)
    {
        Backend = new CudaBackend(GpuStandIn.Open(_driver), new CudaOptions
        {
            Precision = precision,
            MaxTokensPerStep = 64,
            MaxSequencesPerStep = 8,
            MaxRowsPerStep = 64,
            ContextLength = 64,
        }, new NoSampler(), new CudaTuning { BuffersApart = true, Graphs = false, StagingBytes = 1000 });
        _cache = Backend.AllocateKvCache(new KvCacheShape(1, 1, 8, 4, 32));
    }

    public CudaBackend Backend { get; }

    /// <summary>An activation that holds these rows.</summary>
    public Activation Fill(float[][] rows, ActivationUse use = ActivationUse.Hidden)
    {
        Activation activation = Backend.AllocateActivation(rows.Length, rows[0].Length, use);
        Backend.WriteRows(activation, rows);
        return activation;
    }

    /// <summary>A plan of one sequence whose tokens these are, without rows.</summary>
    public StepPlan Tokens(params int[] ids)
    {
        StepPlan plan = new(64, 8, 64) { StepIndex = ++_steps, TokenCount = ids.Length, SequenceCount = 1 };
        int[] table = [.. Enumerable.Range(0, 16)];
        plan.Sequences[0] = new StepSequence { TokenCount = ids.Length, BlockTable = table, BlockCount = table.Length };
        for (int t = 0; t < ids.Length; t++) (plan.TokenIds[t], plan.Positions[t], plan.Slots[t]) = (ids[t], t, t);
        for (int r = 0; r < plan.Rows.Length; r++) plan.Rows[r].Sampling = Greedy;
        return plan;
    }

    /// <summary>Runs ops as a step.</summary>
    public void Step(StepPlan plan, Action ops)
    {
        Backend.BeginStep(plan, _cache);
        ops();
        Backend.EndStep();
        Backend.Collect(new StepResult(64));
    }

    public void Dispose()
    {
        Backend.Dispose();
        _driver.Dispose();
    }

    private sealed class NoSampler : ISampler
    {
        public void Sample(Span<float> logits, in LogitsRow row, ref SampleResult result) => throw new InvalidOperationException("Nothing here is left to the host.");
    }
}
