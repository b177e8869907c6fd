using System.Diagnostics;
using System.Runtime.InteropServices;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.GpuBench.Probes;

/// <summary>What a kernel boundary costs: empty kernels one after another, in a graph and launched one by one, with and without dependent launch.</summary>
internal static class EmptyKernelProbe
{
    public static void Run(ProbeDevice device, ResultLog log)
    {
        CudaFunction empty = device.Probe<EmptyParams>("probe_empty");
        int count = device.Sizes.EmptyKernels;
        CudaStream stream = device.Stream;
        foreach (bool dependent in (bool[])[false, true])
        {
            LaunchShape shape = new((uint)device.Context.SmCount, 1, 1, 128, Dependent: dependent);
            EmptyParams parameters = default;
            void Launch()
            {
                for (int i = 0; i < count; i++) empty.Launch(stream, in shape, in parameters);
            }

            Launch();
            stream.Synchronize();
            using CudaGraph graph = CudaGraph.Capture(stream, Launch);
            Write(log, "in a graph", dependent, count, device.Timer.Median(() => graph.Launch(stream)), null);
            double host = double.MaxValue;
            double seconds = device.Timer.Median(() =>
            {
                long started = Stopwatch.GetTimestamp();
                Launch();
                host = Math.Min(host, Stopwatch.GetElapsedTime(started).TotalSeconds);
            });
            Write(log, "one by one", dependent, count, seconds, host);
        }
    }

    private static void Write(ResultLog log, string how, bool dependent, int count, double seconds, double? host) =>
        log.Write("empty kernels", ("how", how), ("dependent launch", dependent), ("kernels", count), ("us a kernel", seconds / count * 1e6), ("host us a launch", host / count * 1e6));

    /// <summary>The mirror of EmptyParams in probe.cu.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct EmptyParams
    {
        public uint Unused;
    }
}
