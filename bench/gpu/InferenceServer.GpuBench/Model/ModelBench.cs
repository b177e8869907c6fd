using System.Diagnostics;
using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda;
using InferenceServer.Cuda.Driver;
using InferenceServer.Engine;
using InferenceServer.Engine.Sampling;
using InferenceServer.GpuBench.Shapes;
using InferenceServer.Models;
using InferenceServer.Models.Running;

namespace InferenceServer.GpuBench.Model;

/// <summary>A model of a shape with random weights, loaded as any model is, at every batch, context and prompt length.</summary>
internal sealed class ModelBench(ModelShape shape, ModelSizes sizes, Floor floor, ResultLog log)
{
    private const double ShareOfMemory = 0.95; // nothing else runs on the card
    private const double SecondsForSteps = 15; // what StepBench takes at the full sizes on a slow day; the ladder leaves it

    /// <param name="processStarted">Of <see cref="Stopwatch"/>: the time to the first token counts from here.</param>
    public void Run(DriverApi api, int device, CubinCache cache, long processStarted, TimeBudget budget)
    {
        (CudaBackend backend, long kvBytes) = OpenBackend(api, device, cache);
        Run(backend, kvBytes, processStarted, budget);
    }

    private (CudaBackend Backend, long KvBytes) OpenBackend(DriverApi api, int index, CubinCache cache)
    {
        CudaDevice device = CudaDevice.Open(api, index, cache: cache);
        try
        {
            CudaModelSizes model = new()
            {
                Layers = shape.Layers,
                HiddenSize = shape.Hidden,
                IntermediateSize = shape.Intermediate,
                Heads = shape.Heads,
                KvHeads = shape.KvHeads,
                HeadDim = shape.HeadDim,
                VocabularySize = shape.Vocabulary,
                TiedEmbeddings = shape.TiedEmbeddings,
            };
            CudaOptions options = new()
            {
                MaxTokensPerStep = sizes.MaxTokensPerStep,
                MaxSequencesPerStep = sizes.MostSequences,
                MaxRowsPerStep = sizes.MostSequences,
                ContextLength = sizes.ContextLength,
            };
            CudaMemoryPlan plan = CudaMemoryPlan.Compute(device, model, options, new RunnerOptions().BlockSize, ShareOfMemory);
            return (new CudaBackend(device, options with { WeightBytes = plan.WeightBytes, WorkspaceBytes = plan.WorkspaceBytes }, new HostSampler()), plan.KvBytes);
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    private void Run(IComputeBackend backend, long kvBytes, long processStarted, TimeBudget budget)
    {
        string folderPath = Path.Combine(Path.GetTempPath(), $"gpu-bench-{Environment.ProcessId}-{shape.Name}");
        try
        {
            using ModelFolder folder = RandomModel.Open(shape, folderPath);
            long loading = Stopwatch.GetTimestamp();
            using IModelRunner runner = folder.LoadRunner(backend, OptionsOf(kvBytes));
            double loadSeconds = Stopwatch.GetElapsedTime(loading).TotalSeconds;
            using (InferenceEngine engine = new(runner, new EngineOptions { EnablePrefixCache = false, MaxRunningSequences = sizes.MostSequences, RandomSeed = 1 }, TimeProvider.System))
            {
                engine.Start();
                EngineBench whole = new(engine, shape, sizes, floor, log);
                log.Try($"{shape.Name}, first token", () => MeasureStart(engine, loadSeconds, processStarted));
                whole.RunPrompts(budget);
                whole.RunLadder(budget, SecondsForSteps);
                if (engine.Fault is { } fault) log.Missing($"{shape.Name}, engine", $"it broke: {fault.Message}");
            }

            // The engine's thread has ended: the runner is this thread's now.
            new StepBench(runner, shape, sizes, floor, log).Run(budget);
        }
        finally
        {
            if (Directory.Exists(folderPath)) Directory.Delete(folderPath, recursive: true);
        }
    }

    private RunnerOptions OptionsOf(long kvBytes) => new()
    {
        KvBytes = Math.Min(kvBytes, sizes.KvTokens * shape.KvBytesPerToken),
        KvElementBytes = 2,
        MaxTokensPerStep = sizes.MaxTokensPerStep,
        MaxSequencesPerStep = sizes.MostSequences,
        MaxRowsPerStep = sizes.MostSequences,
        ContextLength = sizes.ContextLength,
    };

    private void MeasureStart(InferenceEngine engine, double loadSeconds, long processStarted)
    {
        BenchRequest request = BenchRequest.Submit(engine, "first", [1, 2, 3, 4, 5, 6, 7, 8], maxTokens: 2);
        request.WaitForTokens(1, TimeSpan.FromSeconds(60));
        double total = Stopwatch.GetElapsedTime(processStarted).TotalSeconds;
        request.End();
        double gigabytes = 2e-9 * shape.StoredParameters;
        log.Write("start", ("model", shape.Name), ("weights GB", gigabytes), ("load s", loadSeconds), ("GB/s", gigabytes / loadSeconds), ("process start to first token s", total));
    }
}
