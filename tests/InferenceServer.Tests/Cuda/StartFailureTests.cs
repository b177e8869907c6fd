using InferenceServer.Cpu;
using InferenceServer.Cuda.StandIn.Driver;
using InferenceServer.Hosting;
using InferenceServer.Hosting.Devices;
using InferenceServer.Options;
using InferenceServer.Tests.EndToEnd;
using InferenceServer.Tests.Fakes;
using Microsoft.Extensions.Logging.Abstractions;

namespace InferenceServer.Tests.Cuda;

/// <summary>A GPU that is there and not enough: each start ends with a sentence and its next step, and leaves nothing on the device.</summary>
public class StartFailureTests
{
    public static TheoryData<string, string, string, string> Failures => new()
    {
        { "cuda:3", "", "There is no GPU 3", "--device cuda:n" },
        { "cuda", "--kv-memory", "does not fit", "--kv-memory" },
        { "cuda", "--kv-type", "--kv-type is q8, but on cuda:0", "--device cpu" },
        { "cuda", "--weights", "--weights is q4, but on cuda:0", "--device cpu" },
        { "cuda", "--weights-cache", "--weights-cache is 'somewhere'", "--device cpu" },
        { "cuda", "--gpu-memory", "--gpu-memory asks for", "Lower it" },
        { "cuda", "small GPU", "does not fit", "serve a smaller model" },
        { "cuda", "old GPU", "too old", "--device cpu" },
        { "cuda", "old driver", "too old", "pdate" },
        { "cuda", "no GPU", "shows no GPU", "--gpus all" },
        { "cuda", "no PTX compiler", "libnvidia-ptxjitcompiler", "NVIDIA_DRIVER_CAPABILITIES" },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task A_start_that_fails_says_what_is_missing_and_what_to_do(string device, string lack, string what, string nextStep)
    {
        using StandInDriver driver = StandInServer.Driver(Machine(lack));
        ServerOptions options = Options(device);
        options = lack switch
        {
            "--kv-memory" => options with { Kv = new KvOptions { Memory = 1L << 40 } },
            "--kv-type" => options with { Kv = new KvOptions { Type = KvType.Q8 } },
            "--weights" => options with { Cpu = options.Cpu with { Weights = WeightPrecision.Q4 } },
            "--weights-cache" => options with { Cpu = options.Cpu with { WeightsCache = "somewhere" } },
            "--gpu-memory" => options with { Gpu = new GpuOptions { Memory = 1L << 40 } },
            _ => options,
        };
        StartupException refused = await Assert.ThrowsAsync<StartupException>(() => LoadAsync(driver, options));
        Assert.Contains(what, refused.Message, StringComparison.Ordinal);
        Assert.Contains(nextStep, refused.Message, StringComparison.Ordinal);
        Assert.EndsWith(".", refused.Message, StringComparison.Ordinal);
        Assert.Equal((0L, 0), (driver.Device.Memory.Used, driver.Device.ObjectCount));
    }

    [Fact]
    public async Task What_gpu_memory_leaves_becomes_the_pool_and_kv_memory_wins()
    {
        using StandInDriver driver = StandInServer.Driver(new StandInOptions { MemoryBytes = 256 << 20 });
        long all = await BlocksAsync(driver, Options("cuda") with { Gpu = new GpuOptions { Memory = 64 << 20 } });
        long more = await BlocksAsync(driver, Options("cuda") with { Gpu = new GpuOptions { Memory = 0.3 } });
        long own = await BlocksAsync(driver, Options("cuda") with { Gpu = new GpuOptions { Memory = 0.3 }, Kv = new KvOptions { Memory = 4 << 20 } });
        Assert.InRange(all, 1, more - 1);
        const int BlockBytes = 2 * 6 * 3 * 32 * 2 * 16; // keys and values, layers, heads, head size, bytes, tokens: half of what the CPU's f32 takes
        Assert.Equal((4 << 20) / BlockBytes, own);
    }

    [Fact]
    public void Auto_takes_the_gpu_that_is_there()
    {
        using StandInDriver driver = StandInServer.Driver();
        CapturedLog log = new();
        DeviceChoice devices = new(StandInServer.Door(driver));
        (string answer, bool usable) = devices.Explain(Options("auto"));
        Assert.True(usable);
        Assert.StartsWith("cuda:0 (", answer, StringComparison.Ordinal);
        Assert.Equal("cuda:0", devices.Choose(Options("auto"), log).Name);
        Assert.DoesNotContain(log.Lines, l => l.Contains("running on the CPU", StringComparison.Ordinal));
    }

    private static StandInOptions Machine(string lack) => lack switch
    {
        "small GPU" => new StandInOptions { MemoryBytes = 8 << 20 },
        "old GPU" => new StandInOptions { ComputeMajor = 7, ComputeMinor = 5 },
        "old driver" => new StandInOptions { DriverVersion = 11040 },
        "no GPU" => new StandInOptions { DeviceCount = 0 },
        "no PTX compiler" => new StandInOptions { HasPtxCompiler = false },
        _ => new StandInOptions(),
    };

    private static ServerOptions Options(string device) => new()
    {
        Model = new ModelOptions { Device = device, ManifestFolder = Path.Combine(TestModels.Root, "models-manifest"), ContextLength = 256 },
        Scheduler = new SchedulerOptions { MaxRunning = 256, TokensPerStep = 256 },
    };

    private static async Task<LoadedModel> LoadAsync(StandInDriver driver, ServerOptions options) => await ModelLoader.LoadAsync(
        ServedSource.Resolve(options.Model), options, new DeviceChoice(StandInServer.Door(driver)).Choose(options, NullLogger.Instance), null, NullLogger.Instance, TestContext.Current.CancellationToken);

    private static async Task<long> BlocksAsync(StandInDriver driver, ServerOptions options)
    {
        await using LoadedModel model = await LoadAsync(driver, options);
        return model.Served.Engine.Status.BlocksTotal;
    }
}
