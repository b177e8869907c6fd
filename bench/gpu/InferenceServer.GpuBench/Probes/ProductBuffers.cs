using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Kernels;

namespace InferenceServer.GpuBench.Probes;

/// <summary>Inputs, weights and outputs of a step's products, for any of a shape's matrices. Weights rotate, so that L2 does not answer.</summary>
internal sealed class ProductBuffers : IDisposable
{
    private readonly DeviceBuffer _x, _w, _y, _partial, _counters;

    public ProductBuffers(ProbeDevice device)
    {
        ProbeSizes sizes = device.Sizes;
        int most = Math.Max(sizes.ProductRows.Max(), sizes.GemvRows.Max());
        long inputs = sizes.Shape.Products.Max(p => p.Columns), outputs = sizes.Shape.Products.Max(p => p.Rows);
        _x = device.Random(2 * most * inputs, "The inputs of the products");
        _w = device.Random(Math.Max(sizes.RotationBytes, 2 * sizes.Shape.Products.Max(p => (long)p.Rows * p.Columns)), "The weights of the products");
        _y = device.Allocate(4 * most * outputs, "The outputs of the products");
        _partial = device.Allocate(WorkspaceBytes(device), "The partial sums of the products");
        _counters = device.Allocate(1 << 20, "The counters of the products");
        device.Stream.Fill(_counters.Address, 0, _counters.Bytes);
        device.Stream.Synchronize();
    }

    /// <param name="index">Of the repetition: another place in the weights each time.</param>
    public LinearParams Parameters(int m, int n, int k, int splits, int index) => new()
    {
        X = _x.Address,
        W = Weights(n, k, index),
        Y = _y.Address,
        Partial = splits > 1 ? _partial.Address : 0,
        Counters = _counters.Address,
        M = m,
        N = n,
        K = k,
        XStride = k,
        WStride = k,
        YStride = n,
        Splits = splits,
    };

    public GateUpParams GateUp(int m, int intermediate, int k, int index) => new()
    {
        X = _x.Address,
        W = Weights(2 * intermediate, k, index),
        Y = _y.Address,
        M = m,
        Intermediate = intermediate,
        K = k,
        XStride = k,
        WStride = k,
        YStride = intermediate,
    };

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in (DeviceBuffer[])[_x, _w, _y, _partial, _counters]) buffer.Dispose();
    }

    private static long WorkspaceBytes(ProbeDevice device) => Math.Max(16, device.Sizes.ProductRows.Max(m => device.Sizes.Shape.Products.Max(
        p => GemmPlan.Choose(m, p.Rows, p.Columns, device.Context.SmCount).WorkspaceBytes(m, p.Rows))));

    private ulong Weights(int n, int k, int index)
    {
        long bytes = 2L * n * k, places = _w.Bytes / bytes;
        return _w.Address + (ulong)(index % places * bytes);
    }
}
