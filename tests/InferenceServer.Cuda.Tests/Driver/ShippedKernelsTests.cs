using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.StandIn.Driver;

namespace InferenceServer.Cuda.Tests.Driver;

/// <summary>The PTX that ships, on both kinds of device.</summary>
public class ShippedKernelsTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(8, 0, "sm_80")]
    [InlineData(9, 0, "sm_90a")]
    public void Every_kernel_is_accepted(int major, int minor, string arch)
    {
        Assert.SkipUnless(KernelSource.Embedded.Archs.Any(), "This build has no CUDA kernels: clang 19 was not found.");
        using StandInDriver driver = StandInDriver.Create(new StandInOptions { ComputeMajor = major, ComputeMinor = minor });
        using CudaContext context = CudaContext.Open(driver.Api, 0);
        using KernelLibrary library = new(context, cache: new CubinCache(null));
        library.LoadAll();
        Assert.Equal(arch, library.Arch);
        output.WriteLine($"{library.Kernels.Count} kernels in {library.Families.Count} families");
        Assert.Equal(KernelSource.Embedded.Families(arch).Count, library.FamiliesAssembled);
        _ = library.Function<NormParams>("rmsnorm_bf16");
    }
}
