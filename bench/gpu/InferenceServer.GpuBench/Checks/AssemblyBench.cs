using System.Diagnostics;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.GpuBench.Checks;

/// <summary>What a start costs: the driver assembles every family's PTX, and from then on reads the binaries of the cache.</summary>
internal static class AssemblyBench
{
    /// <param name="cache">An empty folder is made in it, whatever it holds already.</param>
    public static void Run(CudaContext context, string? cache, ResultLog log)
    {
        string folder = Path.Combine(cache ?? Path.GetTempPath(), $"assembly-{Environment.ProcessId}");
        Directory.CreateDirectory(folder);
        try
        {
            foreach (string how in (string[])["assembled", "from the cache"])
            {
                long started = Stopwatch.GetTimestamp();
                using KernelLibrary library = new(context, cache: new CubinCache(folder));
                library.LoadAll();
                log.Write("loading the kernels", ("how", how), ("arch", library.Arch), ("families", library.Families.Count), ("families assembled", library.FamiliesAssembled),
                    ("kernels", library.Kernels.Count), ("ms", Stopwatch.GetElapsedTime(started).TotalMilliseconds));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
