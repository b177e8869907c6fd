using System.Runtime.InteropServices;
using System.Text;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.StandIn.Driver;

/// <summary>The table's functions: arguments checked as a driver checks them, then handed to the device. One part a family of calls.</summary>
internal static unsafe partial class StandInCalls
{
    private static readonly Dictionary<string, nint> Texts = [];

    private static StandInDevice Device => StandInDriver.Current;

    /// <summary>The address of a function by its exported name; 0 if there is none.</summary>
    public static nint Export(string name) => name switch
    {
        "cuInit" => (nint)(delegate* unmanaged<uint, CudaError>)&Init,
        "cuDriverGetVersion" => (nint)(delegate* unmanaged<int*, CudaError>)&DriverGetVersion,
        "cuGetErrorName" => (nint)(delegate* unmanaged<CudaError, byte**, CudaError>)&GetErrorName,
        "cuGetErrorString" => (nint)(delegate* unmanaged<CudaError, byte**, CudaError>)&GetErrorString,
        "cuDeviceGetCount" => (nint)(delegate* unmanaged<int*, CudaError>)&DeviceGetCount,
        "cuDeviceGet" => (nint)(delegate* unmanaged<int*, int, CudaError>)&DeviceGet,
        "cuDeviceGetName" => (nint)(delegate* unmanaged<byte*, int, int, CudaError>)&DeviceGetName,
        "cuDeviceGetAttribute" => (nint)(delegate* unmanaged<int*, DeviceAttribute, int, CudaError>)&DeviceGetAttribute,
        "cuDeviceTotalMem_v2" => (nint)(delegate* unmanaged<nuint*, int, CudaError>)&DeviceTotalMem,
        "cuDevicePrimaryCtxRetain" => (nint)(delegate* unmanaged<nint*, int, CudaError>)&PrimaryCtxRetain,
        "cuDevicePrimaryCtxRelease_v2" => (nint)(delegate* unmanaged<int, CudaError>)&PrimaryCtxRelease,
        "cuDevicePrimaryCtxReset_v2" => (nint)(delegate* unmanaged<int, CudaError>)&PrimaryCtxReset,
        "cuCtxSetCurrent" => (nint)(delegate* unmanaged<nint, CudaError>)&CtxSetCurrent,
        "cuCtxGetCurrent" => (nint)(delegate* unmanaged<nint*, CudaError>)&CtxGetCurrent,
        _ => MemoryExport(name) is var memory and not 0 ? memory
            : StreamExport(name) is var stream and not 0 ? stream
            : ModuleExport(name) is var module and not 0 ? module : GraphExport(name),
    };

    /// <summary>A call made by the current thread's context: refused without one.</summary>
    private static CudaError Enter(string call)
    {
        CudaError entered = Device.Enter(call);
        return entered == CudaError.Success && t_current == 0 ? CudaError.InvalidContext : entered;
    }

    private static CudaError Refuse(CudaError error, string why)
    {
        Device.LastRefusal = why;
        return error;
    }

    /// <summary>A C string that lives as long as the process.</summary>
    private static byte* Text(string text)
    {
        lock (Texts)
        {
            ref nint pointer = ref CollectionsMarshal.GetValueRefOrAddDefault(Texts, text, out bool exists);
            if (!exists) pointer = Marshal.StringToCoTaskMemUTF8(text);
            return (byte*)pointer;
        }
    }

#pragma warning disable IDE1006 // the field's prefix says that it is the thread's
    [ThreadStatic]
    private static nint t_current;
#pragma warning restore IDE1006

    [UnmanagedCallersOnly]
    private static CudaError Init(uint flags) => Device.Enter("cuInit");

    [UnmanagedCallersOnly]
    private static CudaError DriverGetVersion(int* version)
    {
        *version = Device.Options.DriverVersion;
        return CudaError.Success;
    }

    [UnmanagedCallersOnly]
    private static CudaError GetErrorName(CudaError error, byte** text)
    {
        string words = string.Concat(error.ToString().Select((c, i) => i > 0 && char.IsUpper(c) ? "_" + c : c.ToString())).ToUpperInvariant();
        *text = Text(error == CudaError.Success ? "CUDA_SUCCESS" : $"CUDA_ERROR_{words}");
        return Enum.IsDefined(error) ? CudaError.Success : CudaError.InvalidValue;
    }

    [UnmanagedCallersOnly]
    private static CudaError GetErrorString(CudaError error, byte** text)
    {
        *text = Text((error == Device.Sticky ? Device.LastFault : Device.LastRefusal) ?? $"stand-in: {error}");
        return CudaError.Success;
    }

    [UnmanagedCallersOnly]
    private static CudaError DeviceGetCount(int* count)
    {
        *count = Device.Options.DeviceCount;
        return Device.Enter("cuDeviceGetCount");
    }

    [UnmanagedCallersOnly]
    private static CudaError DeviceGet(int* device, int ordinal)
    {
        *device = ordinal;
        return ordinal >= 0 && ordinal < Device.Options.DeviceCount ? Device.Enter("cuDeviceGet") : CudaError.InvalidDevice;
    }

    [UnmanagedCallersOnly]
    private static CudaError DeviceGetName(byte* name, int length, int device)
    {
        byte[] bytes = Encoding.UTF8.GetBytes("Stand-in GPU\0");
        bytes.AsSpan(0, Math.Min(length, bytes.Length)).CopyTo(new Span<byte>(name, length));
        return CudaError.Success;
    }

    [UnmanagedCallersOnly]
    private static CudaError DeviceGetAttribute(int* value, DeviceAttribute attribute, int device)
    {
        StandInOptions options = Device.Options;
        *value = attribute switch
        {
            DeviceAttribute.ComputeCapabilityMajor => options.ComputeMajor,
            DeviceAttribute.ComputeCapabilityMinor => options.ComputeMinor,
            DeviceAttribute.MultiprocessorCount => options.Multiprocessors,
            DeviceAttribute.MaxSharedMemoryPerBlockOptin => 227 << 10,
            DeviceAttribute.MaxSharedMemoryPerMultiprocessor => 228 << 10,
            DeviceAttribute.MaxSharedMemoryPerBlock => 48 << 10,
            DeviceAttribute.MaxThreadsPerBlock => 1024,
            DeviceAttribute.WarpSize => 32,
            DeviceAttribute.L2CacheSize => 50 << 20,
            _ => -1,
        };
        return *value < 0 ? CudaError.InvalidValue : CudaError.Success;
    }

    [UnmanagedCallersOnly]
    private static CudaError DeviceTotalMem(nuint* bytes, int device)
    {
        *bytes = (nuint)Device.Options.MemoryBytes;
        return CudaError.Success;
    }

    [UnmanagedCallersOnly]
    private static CudaError PrimaryCtxRetain(nint* context, int device)
    {
        lock (Device.Gate)
        {
            *context = 1 + device;
            return Device.Enter("cuDevicePrimaryCtxRetain");
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError PrimaryCtxRelease(int device) => CudaError.Success;

    [UnmanagedCallersOnly]
    private static CudaError PrimaryCtxReset(int device)
    {
        lock (Device.Gate)
        {
            Device.Reset();
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError CtxSetCurrent(nint context)
    {
        t_current = context;
        return CudaError.Success;
    }

    [UnmanagedCallersOnly]
    private static CudaError CtxGetCurrent(nint* context)
    {
        *context = t_current;
        return CudaError.Success;
    }
}
