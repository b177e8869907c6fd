using InferenceServer.Commands;
using InferenceServer.Cuda;
using InferenceServer.Cuda.Driver;
using InferenceServer.Hosting;
using InferenceServer.Hosting.Devices;
using InferenceServer.Options;
using InferenceServer.Tests.EndToEnd;
using InferenceServer.Tests.Fakes;
using Microsoft.Extensions.Logging.Abstractions;

namespace InferenceServer.Tests.Hosting;

/// <summary>--device on machines that lack what it needs. Each refusal is a sentence that says what to do.</summary>
public class DeviceChoiceTests
{
    public static TheoryData<string, string> Problems => new()
    {
        { "cpu only", "install" },
        { "no kernels", "clang" },
        { "no such device", "--device cuda:n" },
        { "no PTX compiler", "NVIDIA_DRIVER_CAPABILITIES" },
    };

    [Theory]
    [MemberData(nameof(Problems))]
    public void A_gpu_asked_for_by_name_that_cannot_be_used_ends_the_start_with_a_sentence(string problem, string nextStep)
    {
        StartupException refused = Assert.Throws<StartupException>(() => Without(problem).Choose(Options("cuda:1"), NullLogger.Instance));
        Assert.Contains(nextStep, refused.Message, StringComparison.OrdinalIgnoreCase);
        Assert.EndsWith(".", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Problems))]
    public void Auto_takes_the_cpu_instead_and_says_why_once(string problem, string nextStep)
    {
        CapturedLog log = new();
        Assert.Equal("cpu", Without(problem).Choose(Options("auto"), log).Name);
        string line = Assert.Single(log.Lines);
        Assert.StartsWith("Information: running on the CPU: ", line, StringComparison.Ordinal);
        Assert.Contains(nextStep, line, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void The_cpu_asked_for_by_name_looks_for_no_gpu()
    {
        DeviceChoice devices = new(new CudaDoor { Open = (_, _) => throw new InvalidOperationException("nobody asked for a GPU") });
        Assert.Equal("cpu", devices.Choose(Options("cpu"), NullLogger.Instance).Name);
        Assert.Equal(("cpu", true), devices.Explain(Options("cpu")));
    }

    [Theory]
    [InlineData("auto", 0, "device    --device auto: cpu, for no GPU can be used. ")]
    [InlineData("cuda:1", 2, "device    --device cuda:1: cannot be used. ")]
    [InlineData("cpu", 0, "device    --device cpu: cpu")]
    public void Doctor_says_what_a_start_would_do(string device, int exitCode, string line)
    {
        StringWriter output = new();
        Assert.Equal(exitCode, DoctorCommand.Run(Options(device), Without("cpu only"), output));
        string[] lines = output.ToString().Split(Environment.NewLine);
        Assert.Contains(lines, l => l.StartsWith(line, StringComparison.Ordinal));
        Assert.Contains(lines, l => l == "models    " + Path.Combine(TestModels.Root, "models-manifest"));
        Assert.Contains(lines, l => l.StartsWith($"cpu       {Environment.ProcessorCount} threads, ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Doctor_runs_without_a_gpu()
    {
        (int exitCode, string output) = await ServerProcess.RunAsync("doctor");
        Assert.Equal(0, exitCode);
        foreach (string line in new[] { "server    ", "cpu       ", "memory    ", "cuda      ", "models    ", "device    --device auto: " })
            Assert.Contains("\n" + line, "\n" + output, StringComparison.Ordinal);
    }

    private static ServerOptions Options(string device) =>
        new() { Model = new ModelOptions { Device = device, ManifestFolder = Path.Combine(TestModels.Root, "models-manifest") } };

    private static DeviceChoice Without(string problem) => new(new CudaDoor
    {
        Open = (index, _) => problem switch
        {
            "cpu only" => CudaDevice.Open(DriverApi.Load("libcuda-that-nobody-has.so.1"), index),
            "no kernels" => throw CudaUnavailableException.NoKernels(),
            "no such device" => throw CudaUnavailableException.NoSuchDevice(index, 1),
            _ => throw CudaUnavailableException.NoPtxCompiler(new InvalidOperationException("221")),
        },
    });
}
