using InferenceServer.Core.Compute;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu;
using InferenceServer.Cuda;
using InferenceServer.Cuda.Driver;
using InferenceServer.Engine.Sampling;
using InferenceServer.Models;
using InferenceServer.Models.Configuration;
using InferenceServer.Models.Running;
using InferenceServer.Options;

namespace InferenceServer.Hosting.Devices;

/// <summary>An NVIDIA GPU. Its context belongs to the runner; each load after the first opens the GPU anew.</summary>
/// <param name="opened">What was opened to see whether it can be used; the first load takes it.</param>
internal sealed class GpuDevice(int index, CudaDoor cuda, CudaDevice opened) : IModelDevice
{
    /// <summary>Enough rows to keep the tensor cores busy; decodes wait for a chunk of this size a few milliseconds on an 8B model.</summary>
    private const int TokensPerStep = 2048;

    private CudaDevice? _opened = opened;

    public string Name => $"cuda:{index}";

    /// <summary>A GPU needs chunks of hundreds of tokens to be used well.</summary>
    public double DecodeSlowdown => 0;

    public IModelRunner LoadRunner(ModelFolder folder, ServerOptions options, ILogger logger)
    {
        try
        {
            return Load(folder, options, logger);
        }
        catch (Exception e) when (e is CudaUnavailableException or CudaMemoryException)
        {
            throw new StartupException(e.Message, e);
        }
        catch (NotSupportedException e)
        {
            throw new StartupException($"{e.Message} This model cannot run on {Name}; use --device cpu.", e);
        }
    }

    private IModelRunner Load(ModelFolder folder, ServerOptions options, ILogger logger)
    {
        CudaDevice device = _opened ?? cuda.Open(index, text => GpuLog.Driver(logger, text));
        _opened = null;
        IDisposable owner = device;
        try
        {
            ElementType precision = folder.WeightType == ElementType.F16 ? ElementType.F16 : ElementType.BF16;
            RefuseOtherKvType(options.Kv.Type, precision);
            RefuseConversion(options.Cpu.Weights);
            RefuseCache(options.Cpu.WeightsCache);
            RunnerOptions runner = StepSizes.Of(options, TokensPerStep);
            CudaOptions sizes = new()
            {
                Precision = precision,
                MaxTokensPerStep = runner.MaxTokensPerStep,
                MaxSequencesPerStep = runner.MaxSequencesPerStep,
                MaxRowsPerStep = runner.MaxRowsPerStep,
                ContextLength = options.Model.ContextLength ?? folder.Config.NativeContext,
            };
            CudaMemoryPlan plan = CudaMemoryPlan.Compute(device, SizesOf(folder.Config), sizes, options.Kv.BlockSize, options.Gpu.Memory, options.Kv.Memory);
            CudaBackend backend = cuda.CreateBackend(device, sizes with { WeightBytes = plan.WeightBytes, WorkspaceBytes = plan.WorkspaceBytes }, new HostSampler());
            owner = backend;
            LoadLog.Loading(logger, folder.Config.Architecture, plan.WeightBytes >> 20, plan.KvBytes >> 20, backend.Description);
            return folder.LoadRunner(backend, runner with { KvBytes = plan.KvBytes, KvElementBytes = sizes.Precision.Bytes() }, new LoadLog(logger));
        }
        catch
        {
            owner.Dispose();
            throw;
        }
    }

    private void RefuseOtherKvType(KvType? asked, ElementType precision)
    {
        if (asked is not { } type || (type == KvType.BF16 && precision == ElementType.BF16)) return;
        throw new StartupException(
            $"--kv-type is {type.ToString().ToLowerInvariant()}, but on {Name} keys and values of this model are stored as {precision}; leave --kv-type out, or use --device cpu.");
    }

    private void RefuseConversion(WeightPrecision asked)
    {
        if (asked == WeightPrecision.AsStored) return;
        throw new StartupException(
            $"--weights is {asked.ToString().ToLowerInvariant()}, but on {Name} weights are not converted at load; leave --weights out, or use --device cpu.");
    }

    private void RefuseCache(string? folder)
    {
        if (folder is null) return;
        throw new StartupException(
            $"--weights-cache is '{folder}', but it holds weights in the CPU kernels' layout, and {Name} has no use for them; leave --weights-cache out, or use --device cpu.");
    }

    private static CudaModelSizes SizesOf(ModelConfig config) => new()
    {
        Layers = config.Layers,
        HiddenSize = config.HiddenSize,
        IntermediateSize = config.IntermediateSize,
        Heads = config.Heads,
        KvHeads = config.KvHeads,
        HeadDim = config.HeadDim,
        VocabularySize = config.VocabularySize,
        TiedEmbeddings = config.TiedEmbeddings,
    };
}
