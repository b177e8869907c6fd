using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;
using InferenceServer.GpuBench.Probes;

namespace InferenceServer.GpuBench.Checks;

/// <summary>What one check has on the device, each buffer an allocation of its own, so that memcheck sees a step past its end.</summary>
internal sealed class CheckBuffers(ProbeDevice device, ElementType precision) : IDisposable
{
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly Random _random = new(7);

    public ElementType Precision { get; } = precision;

    /// <summary>Numbers around zero that the precision holds exactly, so that host and device compute with the same ones.</summary>
    public float[] Numbers(int count, float deviation = 1)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            float sum = _random.NextSingle() + _random.NextSingle() + _random.NextSingle() - 1.5f; // deviation 0.5
            values[i] = Widen(Narrow(2 * deviation * sum));
        }

        return values;
    }

    public ulong Half(ReadOnlySpan<float> values)
    {
        ushort[] stored = new ushort[values.Length];
        for (int i = 0; i < stored.Length; i++) stored[i] = Narrow(values[i]);
        return Upload<ushort>(stored);
    }

    public unsafe ulong Upload<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        DeviceBuffer buffer = Own(values.Length * (long)sizeof(T));
        fixed (T* source = values) device.Stream.CopyToDevice(buffer.Address, source, values.Length * (long)sizeof(T));
        device.Stream.Synchronize();
        return buffer.Address;
    }

    /// <summary>Filled with bits that are no number in any format, so that what a kernel leaves unwritten shows.</summary>
    public ulong Poisoned(long bytes) => Filled(bytes, 0xFF);

    public ulong Zeros(long bytes) => Filled(bytes, 0);

    public float[] ReadHalf(ulong address, int count)
    {
        ushort[] stored = Read<ushort>(address, count);
        return [.. stored.Select(Widen)];
    }

    public unsafe T[] Read<T>(ulong address, int count)
        where T : unmanaged
    {
        T[] values = new T[count];
        fixed (T* target = values) device.Stream.CopyToHost(target, address, count * (long)sizeof(T));
        device.Stream.Synchronize();
        return values;
    }

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
    }

    private ulong Filled(long bytes, byte value)
    {
        DeviceBuffer buffer = Own(bytes);
        device.Stream.Fill(buffer.Address, value, bytes);
        device.Stream.Synchronize();
        return buffer.Address;
    }

    private DeviceBuffer Own(long bytes)
    {
        DeviceBuffer buffer = device.Allocate(bytes, "A check's buffer");
        _buffers.Add(buffer);
        return buffer;
    }

    private ushort Narrow(float value)
    {
        if (Precision == ElementType.F16) return BitConverter.HalfToUInt16Bits((System.Half)value);
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16); // to nearest, ties to even
    }

    private float Widen(ushort stored) =>
        Precision == ElementType.F16 ? (float)BitConverter.UInt16BitsToHalf(stored) : BitConverter.UInt32BitsToSingle((uint)stored << 16);
}
