using InferenceServer.GpuBench;
using InferenceServer.GpuBench.Reports;

namespace InferenceServer.Cuda.Tests.Bench;

/// <summary>What ptxas and nvcc say, read from their words. The words are those of CUDA 12 and 13.</summary>
public class CompilerReportTests
{
    private static readonly string[] Verbose =
    [
        "ptxas info    : 0 bytes gmem",
        "ptxas info    : Compiling entry function 'gemm_bf16_128x128' for 'sm_90a'",
        "ptxas info    : Function properties for gemm_bf16_128x128",
        "    40 bytes stack frame, 24 bytes spill stores, 36 bytes spill loads",
        "ptxas info    : Used 255 registers, used 1 barriers, 40 bytes cumulative stack size, 49152 bytes smem, 416 bytes cmem[0]",
        "ptxas info    : Compile time = 250.115 ms",
        "ptxas info    : Function properties for a_device_function",
        "    8 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads",
        "ptxas info    : Compiling entry function 'embed_f16' for 'sm_80'",
        "ptxas info    : Function properties for embed_f16",
        "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads",
        "ptxas info    : Used 18 registers, 400 bytes cmem[0]",
    ];

    [Fact]
    public void Registers_spills_and_shared_memory_are_read()
    {
        Assert.Equal(
            [new KernelUsage("gemm_bf16_128x128", 255, 40, 24, 36, 49152), new KernelUsage("embed_f16", 18, 0, 0, 0, 0)],
            KernelUsage.Parse(Verbose));
    }

    [Fact]
    public void Errors_come_before_warnings_and_infos_not_at_all()
    {
        string[] lines =
        [
            "ptxas info    : (C7508) Potential Performance Loss: 'setmaxnreg' ignored",
            "ptxas warning : Unresolved extern variable",
            "ptxas a.ptx, line 12; error   : Not a name of any known instruction: 'ldmatrx'",
            "ptxas fatal   : Ptx assembly aborted due to errors",
        ];
        Assert.Equal([lines[2], lines[3], lines[1]], KernelUsage.Complaints(lines));
    }

    [Fact]
    public void A_refused_family_is_told_with_the_first_error_and_makes_the_step_fail()
    {
        string folder = GpuBenchFiles.NewFolder();
        File.WriteAllLines(Path.Combine(folder, "sm_90a-gemm.txt"), ["0 1234", .. Verbose]);
        File.WriteAllLines(Path.Combine(folder, "sm_80-broken.txt"), ["255 7", "ptxas broken.ptx, line 3; error   : Unknown symbol", "ptxas fatal   : aborted"]);
        StringWriter echo = new();
        using (ResultLog log = new(null, echo)) Assert.False(CompilerReport.Write("ptxas", folder, log));

        string[] lines = echo.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("""{"table":"compiled","tool":"ptxas","arch":"sm_80","family":"broken","accepted":false,"ms":7,"kernels":0,"most registers":0,"kernels that spill":0,"first complaint":"ptxas broken.ptx, line 3; error   : Unknown symbol"}""", lines[0]);
        Assert.Contains("\"family\":\"gemm\",\"accepted\":true,\"ms\":1234,\"kernels\":2,\"most registers\":255,\"kernels that spill\":1", lines[1], StringComparison.Ordinal);
        Assert.Equal(4, lines.Length);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Nothing_compiled_is_said_and_is_a_failure()
    {
        StringWriter echo = new();
        using ResultLog log = new(null, echo);
        Assert.False(CompilerReport.Write("nvcc", "/nowhere", log));
        Assert.Contains("it compiled nothing", echo.ToString(), StringComparison.Ordinal);
    }
}
