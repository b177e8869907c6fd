using InferenceServer.Core.Stepping;
using InferenceServer.Hosting.Devices;
using InferenceServer.Models;
using InferenceServer.Options;
using Microsoft.Extensions.Logging;

namespace InferenceServer.Tests.Fakes;

/// <summary>The CPU, with a switch that breaks it as a GPU breaks: from then on every step of the runner that was loaded last throws.</summary>
internal sealed class FaultyDevice : IModelDevice
{
    private readonly CpuDevice _cpu = new();
    private volatile Action? _break;
    private int _disposed;

    public string Name => "faulty";

    /// <summary>Runners loaded so far.</summary>
    public int Loads { get; private set; }

    /// <summary>Runners that were disposed.</summary>
    public int Disposed => _disposed;

    /// <summary>Whether loading fails from now on.</summary>
    public bool LoadsFail { get; set; }

    public IModelRunner LoadRunner(ModelFolder folder, ServerOptions options, ILogger logger)
    {
        if (LoadsFail) throw new InvalidOperationException("cuDevicePrimaryCtxRetain failed: CUDA_ERROR_DEVICE_UNAVAILABLE (46).");
        if (Loads > 0) Assert.Equal(Loads, Disposed); // the memory of the broken one is free before the next is asked for
        Loads++;
        FaultyRunner runner = new(this, _cpu.LoadRunner(folder, options, logger));
        _break = () => runner.Broken = true;
        return runner;
    }

    public void Break() => _break!();

    private sealed class FaultyRunner(FaultyDevice device, IModelRunner inner) : IModelRunner
    {
        public volatile bool Broken;

        public RunnerLimits Limits => inner.Limits;

        public void Launch(StepPlan plan)
        {
            if (Broken) throw new InvalidOperationException("cuStreamSynchronize failed: CUDA_ERROR_ILLEGAL_ADDRESS (700).");
            inner.Launch(plan);
        }

        public void Await(StepResult result) => inner.Await(result);

        public void Dispose()
        {
            inner.Dispose();
            Interlocked.Increment(ref device._disposed);
        }
    }
}
