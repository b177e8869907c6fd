using InferenceServer.Core.Stepping;
using InferenceServer.Cpu;
using InferenceServer.Engine.Sampling;
using InferenceServer.Models;
using InferenceServer.Models.Running;
using InferenceServer.Options;

namespace InferenceServer.Hosting.Devices;

/// <summary>This machine's processors.</summary>
internal sealed class CpuDevice : IModelDevice
{
    /// <summary>More makes other sequences wait for a long prompt's chunk; fewer wastes the reading of the weights.</summary>
    private const int TokensPerStep = 512;

    public string Name => "cpu";

    public IModelRunner LoadRunner(ModelFolder folder, ServerOptions options, ILogger logger)
    {
        CpuBackend backend = new(new InferenceServer.Cpu.CpuOptions { Threads = options.Cpu.Threads }, new HostSampler());
        try
        {
            MemoryEstimate memory = folder.Estimate();
            RunnerOptions runner = StepSizes.Of(options, TokensPerStep) with { KvBytes = options.Kv.Memory ?? KvBytes(folder, options, memory) };
            LoadLog.Loading(logger, folder.Config.Architecture, memory.WeightBytes >> 20, runner.KvBytes >> 20, backend.Description);
            return folder.LoadRunner(backend, runner, new LoadLog(logger));
        }
        catch
        {
            backend.Dispose();
            throw;
        }
    }

    /// <summary>Eight full contexts let a small team work without preemption; a quarter of the memory leaves room for weights and others.</summary>
    private static long KvBytes(ModelFolder folder, ServerOptions options, MemoryEstimate memory)
    {
        int context = options.Model.ContextLength ?? folder.Config.NativeContext;
        return Math.Min(8 * memory.KvBytesPerToken * context, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4);
    }
}
