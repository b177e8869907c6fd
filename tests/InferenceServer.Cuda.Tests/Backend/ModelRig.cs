using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu;
using InferenceServer.Cuda.Blas;
using InferenceServer.Cuda.StandIn.Driver;
using InferenceServer.Engine.Sampling;
using InferenceServer.Models;
using InferenceServer.Models.Running;
using InferenceServer.Models.Tests;

namespace InferenceServer.Cuda.Tests.Backend;

/// <summary>A model on the stand-in: driver, backend and runner, which go together.</summary>
internal sealed class ModelRig : IDisposable
{
    public static readonly CudaOptions Limits = new() { MaxTokensPerStep = 64, MaxSequencesPerStep = 12, MaxRowsPerStep = 12, ContextLength = 256 };

    public ModelRig(string folder, CudaTuning? tuning = null, int seed = 1, ElementType precision = ElementType.BF16, ISampler? sampler = null, StandInOptions? device = null, CublasLtApi? blas = null)
    {
        Driver = GpuStandIn.Create(seed, device);
        Backend = new CudaBackend(GpuStandIn.Open(Driver, blas), Limits with { Precision = precision }, sampler ?? new HostSampler(), tuning ?? new CudaTuning { BuffersApart = true, StagingBytes = 5000 });
        using ModelFolder model = ModelFolder.Open(folder);
        Runner = model.LoadRunner(Backend, Options(2));
    }

    public StandInDriver Driver { get; }

    public CudaBackend Backend { get; }

    public IModelRunner Runner { get; }

    /// <summary>The same model on the CPU.</summary>
    public static IModelRunner OnCpu(string folder, ISampler? sampler = null)
    {
        using ModelFolder model = ModelFolder.Open(folder);
        return model.LoadRunner(new CpuBackend(new CpuOptions { Threads = 1 }, sampler ?? new HostSampler()), Options(4));
    }

    /// <summary>A random model of three small layers.</summary>
    public static TemporaryFolder Tiny(string architecture = "LlamaForCausalLM", bool qkvBias = false, bool qkNorm = false)
    {
        TemporaryFolder folder = new();
        new TinyModel(architecture, qkvBias, qkNorm: qkNorm).Write(folder.Path);
        return folder;
    }

    public void Dispose()
    {
        Runner.Dispose();
        Driver.Dispose();
    }

    private static RunnerOptions Options(int elementBytes) => new()
    {
        BlockSize = 8,
        BlockCount = 200,
        KvElementBytes = elementBytes,
        MaxTokensPerStep = Limits.MaxTokensPerStep,
        MaxSequencesPerStep = Limits.MaxSequencesPerStep,
        MaxRowsPerStep = Limits.MaxRowsPerStep,
    };
}
