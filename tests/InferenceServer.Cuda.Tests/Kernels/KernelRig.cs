using InferenceServer.Core.Compute;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.StandIn.Driver;
using InferenceServer.Cuda.StandIn.Ptx;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>A stand-in device with the shipped kernels, or others, and buffers to run one of them on.</summary>
internal sealed unsafe class KernelRig : IDisposable
{
    private readonly StandInDriver _driver;
    private readonly CudaContext _context;

    /// <param name="source">Null: the kernels that ship.</param>
    public KernelRig(KernelSource? source = null, int seed = 1, bool profile = false)
    {
        source ??= KernelSource.Embedded;
        Assert.SkipUnless(source.Archs.Any(), "This build has no CUDA kernels: clang 19 was not found.");
        _driver = StandInDriver.Create(new StandInOptions { Seed = seed, Interpreter = new InterpreterOptions { Profile = profile } });
        _context = CudaContext.Open(_driver.Api, 0);
        Stream = new CudaStream(_context);
        Library = new KernelLibrary(_context, source, new CubinCache(null));
    }

    public StandInDevice Device => _driver.Device;

    public KernelLibrary Library { get; }

    public CudaStream Stream { get; }

    public int SmCount => _context.SmCount;

    /// <summary>An allocation of its own, so that a step past its end is seen.</summary>
    public ulong Upload<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        ulong address = Allocate(values.Length * sizeof(T));
        fixed (T* source = values) Stream.CopyToDevice(address, source, (long)values.Length * sizeof(T));
        return address;
    }

    /// <summary>Starts out as NaN.</summary>
    public ulong Allocate(long bytes)
    {
        ulong address;
        Assert.Equal(CudaError.Success, _driver.Api.MemAlloc(&address, (nuint)Math.Max(bytes, 16)));
        return address;
    }

    /// <summary>Zeros.</summary>
    public ulong Zeros(long bytes)
    {
        ulong address = Allocate(bytes);
        Stream.Fill(address, 0, bytes);
        return address;
    }

    /// <summary>Runs what was launched and reads a buffer; a fault of the kernel throws with its sentence.</summary>
    public T[] Download<T>(ulong address, int count)
        where T : unmanaged
    {
        T[] values = new T[count];
        try
        {
            fixed (T* destination = values) Stream.CopyToHost(destination, address, (long)count * sizeof(T));
            return values;
        }
        catch (CudaException e) when (Device.LastFault is not null)
        {
            throw new KernelFaultException(Device.LastFault, e);
        }
    }

    /// <summary>Numbers rounded to the precision, and as the device holds them.</summary>
    public static ushort[] Narrow(ReadOnlySpan<float> values, ElementType precision)
    {
        ushort[] narrow = new ushort[values.Length];
        for (int i = 0; i < narrow.Length; i++)
            narrow[i] = precision == ElementType.F16 ? BitConverter.HalfToUInt16Bits((Half)values[i]) : ToBF16(values[i]);
        return narrow;
    }

    public static float[] Widen(ReadOnlySpan<ushort> values, ElementType precision)
    {
        float[] wide = new float[values.Length];
        for (int i = 0; i < wide.Length; i++)
            wide[i] = precision == ElementType.F16 ? (float)BitConverter.UInt16BitsToHalf(values[i]) : BitConverter.UInt32BitsToSingle((uint)values[i] << 16);
        return wide;
    }

    public void Dispose()
    {
        Library.Dispose();
        Stream.Dispose();
        _context.Dispose();
        _driver.Dispose();
    }

    /// <summary>Round to nearest even.</summary>
    private static ushort ToBF16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)0x7FFF : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
