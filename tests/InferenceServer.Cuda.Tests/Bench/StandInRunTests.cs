using System.Text.Json;
using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.StandIn.Driver;
using InferenceServer.GpuBench;
using InferenceServer.GpuBench.Checks;
using InferenceServer.GpuBench.Model;
using InferenceServer.GpuBench.Probes;
using InferenceServer.GpuBench.Shapes;

namespace InferenceServer.Cuda.Tests.Bench;

/// <summary>The program of bench/gpu on the stand-in driver, at sizes that an interpreter can take: every path, no figure of any meaning.</summary>
public sealed class StandInRunTests(ITestOutputHelper output) : IDisposable
{
    private static readonly double Forever = 1e6;

    private readonly StringWriter _lines = new();

    [Fact]
    public void Every_kernel_agrees_with_its_formula()
    {
        RequireKernels();
        using StandInDriver driver = StandInDriver.Create();
        using ProbeDevice device = new(driver.Api, 0, null, ProbeSizes.Tiny);
        using ResultLog log = new(null, _lines);
        KernelChecks checks = new(device, CheckSizes.Tiny, log);
        bool agrees = checks.Run(ElementType.BF16) & checks.Run(ElementType.F16);
        Assert.True(agrees, _lines.ToString());
    }

    [Fact]
    public void Loading_the_kernels_is_timed_cold_and_from_the_cache()
    {
        RequireKernels();
        using StandInDriver driver = StandInDriver.Create();
        using CudaContext context = CudaContext.Open(driver.Api, 0);
        using ResultLog log = new(null, _lines);
        AssemblyBench.Run(context, null, log);
        JsonElement[] rows = Table("loading the kernels");
        Assert.Equal(rows[0].GetProperty("families").GetInt32(), rows[0].GetProperty("families assembled").GetInt32());
        Assert.Equal(0, rows[1].GetProperty("families assembled").GetInt32());
    }

    [Fact]
    public void Every_probe_gives_a_figure()
    {
        RequireKernels();
        using StandInDriver driver = StandInDriver.Create();
        using ProbeDevice device = new(driver.Api, 0, null, ProbeSizes.Tiny);
        using ResultLog log = new(null, _lines);
        ProbeRun.Run(device, log, new TimeBudget(Forever));
        Assert.Empty(Table(ResultLog.NotMeasured));
        Assert.Equal(5, Table(FloorReader.BandwidthTable).Length);
        Assert.Equal(4, Table("empty kernels").Length);
        Assert.Equal(10, Table("GEMV").Length);
        Assert.Equal(10, Table(FloorReader.ProductTable).Length);
        Assert.Single(Table("decode attention"));
        Assert.Single(Table("prefill attention"));
    }

    [Fact]
    public void A_whole_model_is_loaded_and_measured()
    {
        RequireKernels();
        using StandInDriver driver = StandInDriver.Create();
        using ResultLog log = new(null, _lines);
        new ModelBench(ModelShape.Tiny, ModelSizes.Tiny, Floor.H200, log).Run(driver.Api, 0, new CubinCache(null), 0, new TimeBudget(Forever));
        Assert.Empty(Table(ResultLog.NotMeasured));
        Assert.Single(Table("start"));
        Assert.Single(Table("prompt"));
        Assert.Equal([1, 3], Table("decode").Select(r => r.GetProperty("batch").GetInt32()));
        Assert.Equal([1, 3], Table("decode steps alone").Select(r => r.GetProperty("batch").GetInt32()));
    }

    [Fact]
    public void A_fault_costs_the_figure_it_hits_and_not_those_that_follow()
    {
        RequireKernels();
        using StandInDriver driver = StandInDriver.Create();
        using ProbeDevice device = new(driver.Api, 0, null, ProbeSizes.Tiny);
        using ResultLog log = new(null, _lines);
        driver.Device.Fail("cuMemcpyDtoDAsync_v2", CudaError.IllegalAddress); // in the middle of the first probe
        ProbeRun.Run(device, log, new TimeBudget(Forever));
        JsonElement missing = Assert.Single(Table(ResultLog.NotMeasured));
        Assert.Equal("bandwidth", missing.GetProperty("what").GetString());
        Assert.Equal(2, Table(FloorReader.BandwidthTable).Length);
        Assert.Equal(4, Table("empty kernels").Length);
    }

    [Fact]
    public void What_no_time_is_left_for_is_said_and_not_run()
    {
        RequireKernels();
        using StandInDriver driver = StandInDriver.Create();
        using ProbeDevice device = new(driver.Api, 0, null, ProbeSizes.Tiny);
        using ResultLog log = new(null, _lines);
        ProbeRun.Run(device, log, new TimeBudget(0));
        Assert.All(Table(ResultLog.NotMeasured), r => Assert.Equal("out of time", r.GetProperty("why").GetString()));
        Assert.Equal(Table(ResultLog.NotMeasured).Length, Lines().Length);
    }

    public void Dispose()
    {
        output.WriteLine(_lines.ToString());
        _lines.Dispose();
    }

    private static void RequireKernels()
    {
        if (!KernelSource.Embedded.Archs.Any()) Assert.Skip("This build has no kernels: clang 19 was not found.");
    }

    private JsonElement[] Table(string name) => [.. Lines().Where(l => l.GetProperty("table").GetString() == name)];

    private JsonElement[] Lines() => [.. _lines.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonSerializer.Deserialize<JsonElement>(l))];
}
