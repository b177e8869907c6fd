using InferenceServer.Cuda.Blas;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.StandIn.Driver;

namespace InferenceServer.Cuda.Tests.Backend;

/// <summary>Opens devices of the stand-in; skips the test where the build has no kernels.</summary>
internal static class GpuStandIn
{
    public static StandInDriver Create(int seed = 1, StandInOptions? options = null)
    {
        if (KernelSource.Embedded.Families("sm_80").Count == 0) Assert.Skip("this build has no CUDA kernels: clang was missing");
        return StandInDriver.Create((options ?? new StandInOptions()) with { Seed = seed });
    }

    /// <summary>A device without a cache of assembled kernels, so that tests leave nothing on the disk.</summary>
    public static CudaDevice Open(StandInDriver driver, CublasLtApi? blas = null) => CudaDevice.Open(driver.Api, 0, cache: new CubinCache(null), blas: blas);
}
