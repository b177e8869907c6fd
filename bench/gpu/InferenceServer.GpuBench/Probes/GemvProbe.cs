using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Kernels;

namespace InferenceServer.GpuBench.Probes;

/// <summary>Our products of few rows, which read weights and do little else: their bandwidth is their worth.</summary>
internal static class GemvProbe
{
    public static void Run(ProbeDevice device, ResultLog log)
    {
        using ProductBuffers buffers = new(device);
        GemvKernel gemv = new(device.Kernels, ElementType.BF16);
        foreach ((string name, int n, int k) in device.Sizes.Shape.Products)
            foreach (int m in device.Sizes.GemvRows)
            {
                bool measured = log.Try($"GEMV, {name}, {m} rows", () =>
                {
                    double seconds = device.Timer.Seconds(i =>
                    {
                        if (name == "gate-up") gemv.LaunchGateUp(device.Stream, buffers.GateUp(m, n / 2, k, i));
                        else gemv.Launch(device.Stream, buffers.Parameters(m, n, k, 1, i));
                    });
                    log.Write("GEMV", ("product", name), ("n", n), ("k", k), ("rows", m), ("us", seconds * 1e6), ("GB/s", 2e-9 * ((double)n * k + (double)m * (n + k)) / seconds));
                });
                if (!measured && device.IsLost()) return;
            }
    }
}
