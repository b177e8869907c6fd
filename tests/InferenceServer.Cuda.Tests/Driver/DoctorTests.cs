using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.StandIn.Driver;

namespace InferenceServer.Cuda.Tests.Driver;

/// <summary>What doctor says of GPUs; it never throws for what it finds.</summary>
public sealed class DoctorTests
{
    [Fact]
    public void A_usable_machine_is_described()
    {
        string report = Report(new StandInOptions { DeviceCount = 2, MemoryBytes = 3L << 30 }, blas: true);
        Assert.Contains("driver for CUDA 12.8", report, StringComparison.Ordinal);
        Assert.Contains("cuda:1 Stand-in GPU, compute capability 9.0, 8 multiprocessors, 3072 of 3072 MiB free", report, StringComparison.Ordinal);
        Assert.Contains("cuBLASLt 12.6.4", report, StringComparison.Ordinal);
        if (KernelSource.Embedded.Archs.Any()) Assert.Contains("kernels for sm_90a: ", report, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_trouble_is_a_sentence_and_the_rest_is_told_all_the_same()
    {
        Assert.Contains("cuBLASLt was not found", Report(new StandInOptions { DeviceCount = 0 }, blas: false), StringComparison.Ordinal);
        Assert.Contains("8.0", Report(new StandInOptions { ComputeMajor = 7, ComputeMinor = 5 }, blas: false), StringComparison.Ordinal);
        Assert.Contains("11.4", Report(new StandInOptions { DriverVersion = 11040 }, blas: false), StringComparison.Ordinal);
    }

    [Fact]
    public void A_machine_without_a_driver_is_told_so() =>
        Assert.Contains("NVIDIA driver", Assert.Throws<CudaUnavailableException>(() => DriverApi.Load("libcuda-that-nobody-has.so.1")).Message, StringComparison.Ordinal);

    private static string Report(StandInOptions options, bool blas)
    {
        using StandInDriver driver = StandInDriver.Create(options);
        return string.Join('\n', CudaDoctor.Report(driver.Api, blas ? StandInBlas.Api : null, new CubinCache(null)));
    }
}
