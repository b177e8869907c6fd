using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace InferenceServer.Cuda.Driver;

/// <summary>Starting the driver, and turning its numbers into words.</summary>
internal sealed unsafe partial class DriverApi
{
    /// <summary>PTX ISA 8.0, which the sm_90a kernels are written in, came with driver 12.0; so did cuGraphExecUpdate_v2 and programmatic launches.</summary>
    public const int OldestVersion = 12000;

    /// <summary>As cuDriverGetVersion says it: 12040 is 12.4. 0 before <see cref="Start"/>.</summary>
    public int Version { get; private set; }

    /// <summary>Initialises the driver and checks that it is new enough. A second call is harmless.</summary>
    /// <exception cref="CudaUnavailableException">It does not start, or is too old.</exception>
    public void Start()
    {
        int version = 0;
        if (DriverGetVersion(&version) == CudaError.Success && version < OldestVersion) throw CudaUnavailableException.DriverTooOld(version);
        CudaError result = Init(0);
        if (result != CudaError.Success) throw CudaUnavailableException.NotStarted(result, ErrorName(result), ErrorText(result));
        Version = version;
    }

    /// <summary>How many devices there are; 0 is an answer.</summary>
    public int DeviceCount()
    {
        int count;
        CudaError result = DeviceGetCount(&count);
        if (result == CudaError.NoDevice) return 0;
        Check(result, "cuDeviceGetCount");
        return count;
    }

    /// <summary>Throws if a call failed. Free when it did not.</summary>
    /// <param name="call">As cuda.h names it.</param>
    /// <param name="kernel">The kernel it was about, if any.</param>
    public void Check(CudaError result, string call, string? kernel = null)
    {
        if (result != CudaError.Success) Throw(result, call, kernel);
    }

    /// <summary>E.g. CUDA_ERROR_INVALID_VALUE.</summary>
    public string ErrorName(CudaError error)
    {
        byte* text = null;
        return GetErrorName(error, &text) == CudaError.Success && text != null ? Marshal.PtrToStringUTF8((nint)text)! : "an error this driver does not name";
    }

    /// <summary>The driver's sentence on an error.</summary>
    public string ErrorText(CudaError error)
    {
        byte* text = null;
        return GetErrorString(error, &text) == CudaError.Success && text != null ? Marshal.PtrToStringUTF8((nint)text)! : "no description";
    }

    /// <summary>12040 as "12.4".</summary>
    public static string VersionText(int version) => $"{version / 1000}.{version % 1000 / 10}";

    [DoesNotReturn]
    private void Throw(CudaError result, string call, string? kernel) => throw new CudaException(call, result, ErrorName(result), ErrorText(result), kernel);
}
