using InferenceServer.Cuda.Blas;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda;

/// <summary>What an operator should know of the GPUs here, as lines: driver, devices, kernels, cubin cache, cuBLASLt. Never throws for what it finds.</summary>
public static class CudaDoctor
{
    public static IReadOnlyList<string> Report()
    {
        DriverApi api;
        try
        {
            api = DriverApi.Load();
        }
        catch (CudaUnavailableException e)
        {
            return [e.Message, .. Kernels()];
        }

        return Report(api, CublasLtApi.TryLoad(api.Version), new CubinCache(CubinCache.DefaultFolder()));
    }

    internal static IReadOnlyList<string> Report(DriverApi api, CublasLtApi? blas, CubinCache cache)
    {
        List<string> lines = [];
        try
        {
            if (api.Version == 0) api.Start();
            lines.Add($"driver for CUDA {DriverApi.VersionText(api.Version)}");
            int count = api.DeviceCount();
            if (count == 0) lines.Add(CudaUnavailableException.NoDevice().Message);
            for (int i = 0; i < count; i++) lines.Add($"cuda:{i} {Device(api, i)}");
        }
        catch (Exception e) when (e is CudaUnavailableException or CudaException)
        {
            lines.Add(e.Message);
        }

        lines.AddRange(Kernels());
        lines.Add(cache.Folder is { } folder
            ? $"assembled kernels are kept in {folder} ({(Directory.Exists(folder) ? Directory.GetFiles(folder).Length : 0)} files)"
            : "assembled kernels are not kept: there is no home folder, set XDG_CACHE_HOME to give them a place");
        lines.Add(blas is not null
            ? $"cuBLASLt {blas.Version} ({blas.Library}) computes products of more than {Cuda.Kernels.GemvKernel.MaxRows} rows"
            : "cuBLASLt was not found: our own products are used, slower for prompts and large batches; install the CUDA runtime's libcublasLt to have it");
        return lines;
    }

    private static string Device(DriverApi api, int index)
    {
        try
        {
            using CudaContext context = CudaContext.Open(api, index);
            (long free, long total) = context.MemGetInfo();
            return $"{context.Name}, compute capability {context.ComputeCapability}, {context.SmCount} multiprocessors, {free >> 20} of {total >> 20} MiB free";
        }
        catch (Exception e) when (e is CudaUnavailableException or CudaException)
        {
            return e.Message;
        }
    }

    private static IEnumerable<string> Kernels()
    {
        string[] archs = [.. KernelSource.Embedded.Archs];
        if (archs.Length == 0) yield return CudaUnavailableException.NoKernels().Message;
        foreach (string arch in archs) yield return $"kernels for {arch}: {string.Join(", ", KernelSource.Embedded.Families(arch))}";
    }
}
