using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Kernels;
using InferenceServer.GpuBench.Shapes;

namespace InferenceServer.GpuBench.Probes;

/// <summary>Matrix products of a step's five shapes: our own GEMM. PyTorch's, by cuBLAS, are in peers.py.</summary>
internal static class ProductProbe
{
    public static void Run(ProbeDevice device, ResultLog log, TimeBudget budget)
    {
        using ProductBuffers buffers = new(device);
        GemmKernel gemm = new(device.Kernels, ElementType.BF16);
        foreach (int m in device.Sizes.ProductRows)
            foreach ((string name, int n, int k) in device.Sizes.Shape.Products)
            {
                string what = $"product, {name}, {m} rows";
                if (budget.Allows(what, log) && !log.Try(what, () => Measure(device, buffers, gemm, name, m, n, k, log)) && device.IsLost()) return;
            }
    }

    private static void Measure(ProbeDevice device, ProductBuffers buffers, GemmKernel gemm, string name, int m, int n, int k, ResultLog log)
    {
        GemmPlan plan = GemmPlan.Choose(m, n, k, device.Context.SmCount);
        double flops = 2.0 * m * n * k, bytes = 2.0 * ((double)n * k + (double)m * (n + k));
        double ours = device.Timer.Seconds(i => gemm.Launch(device.Stream, buffers.Parameters(m, n, k, plan.Splits, i), plan));
        log.Write(FloorReader.ProductTable, ("product", name), ("n", n), ("k", k), ("rows", m), ("tile", GemmTile.All[plan.Tile].Name), ("splits", plan.Splits),
            ("ours us", ours * 1e6), ("ours TFLOP/s", flops / ours * 1e-12), ("ours GB/s", bytes / ours * 1e-9));
    }
}
