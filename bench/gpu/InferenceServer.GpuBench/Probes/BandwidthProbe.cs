using System.Runtime.InteropServices;
using InferenceServer.Cuda.Driver;
using InferenceServer.GpuBench.Shapes;

namespace InferenceServer.GpuBench.Probes;

/// <summary>How fast memory is read, copied and filled from the host: the ceilings that everything else is held against. A copy counts both ways.</summary>
internal static class BandwidthProbe
{
    private const uint ThreadsABlock = 512;
    private const int BlocksAnSm = 4;

    public static void Run(ProbeDevice device, ResultLog log)
    {
        long bytes = device.Sizes.StreamBytes;
        using DeviceBuffer source = device.Random(bytes, "The source of the bandwidth probe"), target = device.Allocate(bytes, "The target of the bandwidth probe");
        StreamParams parameters = new() { In = source.Address, Out = target.Address, Vectors = (ulong)bytes / 16 };
        LaunchShape shape = new((uint)(device.Context.SmCount * BlocksAnSm), 1, 1, ThreadsABlock, Dependent: false);
        CudaFunction read = device.Probe<StreamParams>("probe_read"), copy = device.Probe<StreamParams>("probe_copy");
        Write(log, "read", true, bytes, device.Timer.Median(() => read.Launch(device.Stream, in shape, in parameters)));
        Write(log, "copy by a kernel", true, 2 * bytes, device.Timer.Median(() => copy.Launch(device.Stream, in shape, in parameters)));
        Write(log, "copy by the driver", true, 2 * bytes, device.Timer.Median(() => device.Stream.Copy(target.Address, source.Address, bytes)));

        long staged = Math.Min(bytes, 256 << 20);
        using PinnedBuffer pinned = new(device.Context, staged, "The host's side of the bandwidth probe");
        pinned.Span<byte>(0, (int)staged).Fill(1);
        Write(log, "from page-locked host memory", false, staged, device.Timer.Median(() => device.Stream.CopyToDevice(target.Address, pinned, 0, staged)));
        Write(log, "to page-locked host memory", false, staged, device.Timer.Median(() => device.Stream.CopyToHost(pinned, 0, target.Address, staged)));
    }

    private static void Write(ResultLog log, string what, bool onDevice, long bytes, double seconds) =>
        log.Write(FloorReader.BandwidthTable, ("what", what), ("on device", onDevice), ("bytes", bytes), ("ms", seconds * 1e3), (FloorReader.BandwidthColumn, bytes / seconds * 1e-9));

    /// <summary>The mirror of StreamParams in probe.cu.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct StreamParams
    {
        public ulong In, Out, Vectors;
    }
}
