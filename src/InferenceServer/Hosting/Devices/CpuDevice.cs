using System.Diagnostics;
using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu;
using InferenceServer.Engine.Sampling;
using InferenceServer.Models;
using InferenceServer.Models.Configuration;
using InferenceServer.Models.Running;
using InferenceServer.Options;

namespace InferenceServer.Hosting.Devices;

/// <summary>This machine's processors.</summary>
/// <param name="sampler">Null: the host's.</param>
internal sealed class CpuDevice(ISampler? sampler = null) : IModelDevice
{
    /// <summary>More makes other sequences wait for a long prompt's chunk; fewer wastes the reading of the weights.</summary>
    private const int TokensPerStep = 512;

    public string Name => "cpu";

    /// <summary>On a CPU a prompt's chunk costs as much a token in small pieces as in large ones, so streams need not wait for it. Below 2, so that p99 stays there.</summary>
    public double DecodeSlowdown => 1.6;

    public IModelRunner LoadRunner(ModelFolder folder, ServerOptions options, ILogger logger)
    {
        long started = Stopwatch.GetTimestamp();
        InferenceServer.Cpu.CpuOptions cpu = new()
        {
            Threads = options.Cpu.Threads,
            Weights = options.Cpu.Weights,
            WeightCache = options.Cpu.WeightsCache is { } cache ? new WeightCacheOptions(cache, ModelFolder.NameOf(folder.Path), folder.HashWeights(new LoadLog(logger, "hashing"))) : null,
        };
        CpuBackend backend = new(options.Kv.Type is { } type ? cpu with { KvType = type } : cpu, sampler ?? new HostSampler());
        try
        {
            MemoryEstimate memory = folder.Estimate(loadedBytes: backend.WeightBytes);
            ModelConfig model = folder.Config;
            long blockBytes = backend.KvBlockBytes(new KvCacheShape(model.Layers, model.KvHeads, model.HeadDim, options.Kv.BlockSize, BlockCount: 1));
            RunnerOptions runner = StepSizes.Of(options, TokensPerStep) with
            {
                KvBytes = options.Kv.Memory ?? KvBytes(options.Model.ContextLength ?? model.NativeContext, options.Kv.BlockSize, blockBytes),
                KvBlockBytes = blockBytes,
            };
            LoadLog.Loading(logger, folder.Config.Architecture, memory.WeightBytes >> 20, runner.KvBytes >> 20, backend.Description);
            IModelRunner loaded = folder.LoadRunner(backend, runner, new LoadLog(logger));
            if (backend.CompleteWeights() is { } report) LoadLog.WeightCache(logger, report, Stopwatch.GetElapsedTime(started));
            return loaded;
        }
        catch
        {
            backend.Dispose();
            throw;
        }
    }

    /// <summary>Eight full contexts let a small team work without preemption; a quarter of the memory leaves room for weights and others.</summary>
    private static long KvBytes(long context, int blockSize, long blockBytes) =>
        Math.Min(8 * ((context + blockSize - 1) / blockSize) * blockBytes, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4);
}
