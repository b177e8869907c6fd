using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace InferenceServer.Cuda.Driver;

/// <summary>
/// A GPU and its primary context. A thread calls <see cref="MakeCurrent"/> before it makes any other call on what belongs here.
/// After a fault that poisons the context, <see cref="Reset"/> gives a fresh one; all that was made before is then void, and disposing it is harmless.
/// </summary>
internal sealed unsafe class CudaContext : IDisposable
{
    private nint _handle;

    private CudaContext(DriverApi api, int device)
    {
        Api = api;
        Device = device;
        byte* name = stackalloc byte[256];
        Api.Check(Api.DeviceGetName(name, 256, device), "cuDeviceGetName");
        Name = Marshal.PtrToStringUTF8((nint)name)!;
        ComputeCapability = new ComputeCapability(Attribute(DeviceAttribute.ComputeCapabilityMajor), Attribute(DeviceAttribute.ComputeCapabilityMinor));
        SmCount = Attribute(DeviceAttribute.MultiprocessorCount);
        MaxSharedBytes = Attribute(DeviceAttribute.MaxSharedMemoryPerBlockOptin);
        nuint bytes;
        Api.Check(Api.DeviceTotalMem(&bytes, device), "cuDeviceTotalMem");
        TotalMemory = (long)bytes;
    }

    public DriverApi Api { get; }

    public int Device { get; }

    public string Name { get; }

    public ComputeCapability ComputeCapability { get; }

    /// <summary>Streaming multiprocessors.</summary>
    public int SmCount { get; }

    /// <summary>Dynamic shared memory a block may ask for, in bytes.</summary>
    public int MaxSharedBytes { get; }

    /// <summary>Of the device, in bytes, whoever uses it.</summary>
    public long TotalMemory { get; }

    /// <summary>12040 is 12.4.</summary>
    public int DriverVersion => Api.Version;

    /// <summary>Counts resets; what was made in an earlier generation is gone.</summary>
    public int Generation { get; private set; }

    /// <summary>A hint for the message when a fault shows later.</summary>
    public string? LastKernel { get; set; }

    /// <summary>What is being done, put into words when a call fails: a step and its batch.</summary>
    public object? Work { get; set; }

    /// <summary>Opens a device and makes it current on this thread.</summary>
    /// <param name="device">From 0, as CUDA_VISIBLE_DEVICES leaves them.</param>
    /// <exception cref="CudaUnavailableException">There is no such device, or it is too old.</exception>
    public static CudaContext Open(DriverApi api, int device)
    {
        if (api.Version == 0) api.Start();
        int count = api.DeviceCount();
        if (count == 0) throw CudaUnavailableException.NoDevice();
        if (device < 0 || device >= count) throw CudaUnavailableException.NoSuchDevice(device, count);

        int id;
        api.Check(api.DeviceGet(&id, device), "cuDeviceGet");
        CudaContext context = new(api, id);
        if (context.ComputeCapability.CompareTo(ComputeCapability.Oldest) < 0) throw CudaUnavailableException.DeviceTooOld(device, context.Name, context.ComputeCapability);
        context.Retain();
        return context;
    }

    /// <summary>Says which context this thread's calls are about.</summary>
    public void MakeCurrent() => Api.Check(Api.CtxSetCurrent(_handle), "cuCtxSetCurrent");

    /// <summary>Device memory in bytes, other processes counted.</summary>
    public (long Free, long Total) MemGetInfo()
    {
        nuint free, total;
        Check(Api.MemGetInfo(&free, &total), "cuMemGetInfo");
        return ((long)free, (long)total);
    }

    /// <summary>Throws everything away, also a fault, and starts afresh on this thread. Other threads must call <see cref="MakeCurrent"/> again.</summary>
    public void Reset()
    {
        Api.Check(Api.DevicePrimaryCtxReset(Device), "cuDevicePrimaryCtxReset");
        Generation++;
        LastKernel = null;
        Work = null;
        _ = Api.DevicePrimaryCtxRelease(Device); // the reference that Retain took; the reset has destroyed what it held
        Retain();
    }

    /// <summary>Throws if a call failed; a fault of an earlier kernel is told with the last kernel launched.</summary>
    public void Check(CudaError result, string call)
    {
        if (result != CudaError.Success) Throw(result, call);
    }

    public int Attribute(DeviceAttribute attribute)
    {
        int value;
        Api.Check(Api.DeviceGetAttribute(&value, attribute, Device), "cuDeviceGetAttribute");
        return value;
    }

    public void Dispose()
    {
        if (_handle == 0) return;
        _handle = 0;
        _ = Api.DevicePrimaryCtxRelease(Device); // a poisoned context answers with its fault; it is released all the same
    }

    private void Retain()
    {
        nint handle;
        Api.Check(Api.DevicePrimaryCtxRetain(&handle, Device), "cuDevicePrimaryCtxRetain");
        _handle = handle;
        MakeCurrent();
    }

    [DoesNotReturn]
    private void Throw(CudaError result, string call)
    {
        string detail = Api.ErrorText(result);
        if (CudaException.IsStickyError(result) && LastKernel is { } kernel) detail += $" (the last kernel launched was {kernel})";
        throw new CudaException(call, result, Api.ErrorName(result), detail + InWork());
    }

    /// <summary>" In step 7 ...", or nothing.</summary>
    internal string InWork() => Work is null ? "" : $" In {Work}.";
}
