using System.Runtime.InteropServices;

namespace InferenceServer.Cuda.Driver;

/// <summary>
/// The CUDA driver as one table of function pointers, named like cuda.h without "cu". Filled from libcuda, or by tests from a stand-in;
/// nothing else in the project knows which. Calls return a <see cref="CudaError"/>; whoever calls hands it to <see cref="Check"/>.
/// Immutable and thread-safe, as the driver is.
/// </summary>
/// <remarks>To add a call: the field, its line in the constructor, its line in native/driver_signatures.c, its twin in the stand-in.</remarks>
internal sealed unsafe partial class DriverApi
{
    /// <summary>What the NVIDIA driver installs, and the container toolkit mounts.</summary>
    public const string LibraryName = "libcuda.so.1";

    /// <param name="export">The address of a function by its exported name, 0 if there is none.</param>
    /// <exception cref="CudaUnavailableException">A function that nothing can replace is missing: the driver is too old.</exception>
    public DriverApi(Func<string, nint> export)
    {
        Init = (delegate* unmanaged<uint, CudaError>)Need(export, "cuInit");
        DriverGetVersion = (delegate* unmanaged<int*, CudaError>)Need(export, "cuDriverGetVersion");
        GetErrorName = (delegate* unmanaged<CudaError, byte**, CudaError>)Need(export, "cuGetErrorName");
        GetErrorString = (delegate* unmanaged<CudaError, byte**, CudaError>)Need(export, "cuGetErrorString");

        DeviceGetCount = (delegate* unmanaged<int*, CudaError>)Need(export, "cuDeviceGetCount");
        DeviceGet = (delegate* unmanaged<int*, int, CudaError>)Need(export, "cuDeviceGet");
        DeviceGetName = (delegate* unmanaged<byte*, int, int, CudaError>)Need(export, "cuDeviceGetName");
        DeviceGetAttribute = (delegate* unmanaged<int*, DeviceAttribute, int, CudaError>)Need(export, "cuDeviceGetAttribute");
        DeviceTotalMem = (delegate* unmanaged<nuint*, int, CudaError>)Need(export, "cuDeviceTotalMem_v2");

        DevicePrimaryCtxRetain = (delegate* unmanaged<nint*, int, CudaError>)Need(export, "cuDevicePrimaryCtxRetain");
        DevicePrimaryCtxRelease = (delegate* unmanaged<int, CudaError>)Need(export, "cuDevicePrimaryCtxRelease_v2");
        DevicePrimaryCtxReset = (delegate* unmanaged<int, CudaError>)Need(export, "cuDevicePrimaryCtxReset_v2");
        CtxSetCurrent = (delegate* unmanaged<nint, CudaError>)Need(export, "cuCtxSetCurrent");
        CtxGetCurrent = (delegate* unmanaged<nint*, CudaError>)Need(export, "cuCtxGetCurrent");

        MemGetInfo = (delegate* unmanaged<nuint*, nuint*, CudaError>)Need(export, "cuMemGetInfo_v2");
        MemAlloc = (delegate* unmanaged<ulong*, nuint, CudaError>)Need(export, "cuMemAlloc_v2");
        MemFree = (delegate* unmanaged<ulong, CudaError>)Need(export, "cuMemFree_v2");
        MemHostAlloc = (delegate* unmanaged<void**, nuint, uint, CudaError>)Need(export, "cuMemHostAlloc");
        MemFreeHost = (delegate* unmanaged<void*, CudaError>)Need(export, "cuMemFreeHost");
        MemcpyHtoDAsync = (delegate* unmanaged<ulong, void*, nuint, nint, CudaError>)Need(export, "cuMemcpyHtoDAsync_v2");
        MemcpyDtoHAsync = (delegate* unmanaged<void*, ulong, nuint, nint, CudaError>)Need(export, "cuMemcpyDtoHAsync_v2");
        MemcpyDtoDAsync = (delegate* unmanaged<ulong, ulong, nuint, nint, CudaError>)Need(export, "cuMemcpyDtoDAsync_v2");
        MemsetD8Async = (delegate* unmanaged<ulong, byte, nuint, nint, CudaError>)Need(export, "cuMemsetD8Async");
        MemsetD32Async = (delegate* unmanaged<ulong, uint, nuint, nint, CudaError>)Need(export, "cuMemsetD32Async");

        StreamCreate = (delegate* unmanaged<nint*, StreamFlags, CudaError>)Need(export, "cuStreamCreate");
        StreamDestroy = (delegate* unmanaged<nint, CudaError>)Need(export, "cuStreamDestroy_v2");
        StreamSynchronize = (delegate* unmanaged<nint, CudaError>)Need(export, "cuStreamSynchronize");
        StreamQuery = (delegate* unmanaged<nint, CudaError>)Need(export, "cuStreamQuery");
        StreamWaitEvent = (delegate* unmanaged<nint, nint, uint, CudaError>)Need(export, "cuStreamWaitEvent");
        StreamBeginCapture = (delegate* unmanaged<nint, CaptureMode, CudaError>)Need(export, "cuStreamBeginCapture_v2");
        StreamEndCapture = (delegate* unmanaged<nint, nint*, CudaError>)Need(export, "cuStreamEndCapture");
        StreamIsCapturing = (delegate* unmanaged<nint, CaptureStatus*, CudaError>)Need(export, "cuStreamIsCapturing");

        EventCreate = (delegate* unmanaged<nint*, EventFlags, CudaError>)Need(export, "cuEventCreate");
        EventRecord = (delegate* unmanaged<nint, nint, CudaError>)Need(export, "cuEventRecord");
        EventQuery = (delegate* unmanaged<nint, CudaError>)Need(export, "cuEventQuery");
        EventSynchronize = (delegate* unmanaged<nint, CudaError>)Need(export, "cuEventSynchronize");
        EventElapsedTime = (delegate* unmanaged<float*, nint, nint, CudaError>)Need(export, "cuEventElapsedTime");
        EventDestroy = (delegate* unmanaged<nint, CudaError>)Need(export, "cuEventDestroy_v2");

        LinkCreate = (delegate* unmanaged<uint, JitOption*, void**, nint*, CudaError>)Need(export, "cuLinkCreate_v2");
        LinkAddData = (delegate* unmanaged<nint, JitInputType, void*, nuint, byte*, uint, JitOption*, void**, CudaError>)Need(export, "cuLinkAddData_v2");
        LinkComplete = (delegate* unmanaged<nint, void**, nuint*, CudaError>)Need(export, "cuLinkComplete");
        LinkDestroy = (delegate* unmanaged<nint, CudaError>)Need(export, "cuLinkDestroy");
        ModuleLoadDataEx = (delegate* unmanaged<nint*, void*, uint, JitOption*, void**, CudaError>)Need(export, "cuModuleLoadDataEx");
        ModuleUnload = (delegate* unmanaged<nint, CudaError>)Need(export, "cuModuleUnload");
        ModuleGetFunction = (delegate* unmanaged<nint*, nint, byte*, CudaError>)Need(export, "cuModuleGetFunction");

        FuncGetAttribute = (delegate* unmanaged<int*, FunctionAttribute, nint, CudaError>)Need(export, "cuFuncGetAttribute");
        FuncSetAttribute = (delegate* unmanaged<nint, FunctionAttribute, int, CudaError>)Need(export, "cuFuncSetAttribute");
        FuncGetParamInfo = (delegate* unmanaged<nint, nuint, nuint*, nuint*, CudaError>)export("cuFuncGetParamInfo");
        OccupancyMaxActiveBlocksPerMultiprocessor = (delegate* unmanaged<int*, nint, int, nuint, CudaError>)Need(export, "cuOccupancyMaxActiveBlocksPerMultiprocessor");
        LaunchKernelEx = (delegate* unmanaged<LaunchConfig*, nint, void**, void**, CudaError>)Need(export, "cuLaunchKernelEx");

        GraphInstantiateWithFlags = (delegate* unmanaged<nint*, nint, ulong, CudaError>)Need(export, "cuGraphInstantiateWithFlags");
        GraphGetNodes = (delegate* unmanaged<nint, nint*, nuint*, CudaError>)Need(export, "cuGraphGetNodes");
        GraphUpload = (delegate* unmanaged<nint, nint, CudaError>)Need(export, "cuGraphUpload");
        GraphLaunch = (delegate* unmanaged<nint, nint, CudaError>)Need(export, "cuGraphLaunch");
        GraphExecUpdate = (delegate* unmanaged<nint, nint, GraphUpdateResult*, CudaError>)Need(export, "cuGraphExecUpdate_v2");
        GraphExecDestroy = (delegate* unmanaged<nint, CudaError>)Need(export, "cuGraphExecDestroy");
        GraphDestroy = (delegate* unmanaged<nint, CudaError>)Need(export, "cuGraphDestroy");
    }

    // ---- library
    public readonly delegate* unmanaged<uint, CudaError> Init;
    public readonly delegate* unmanaged<int*, CudaError> DriverGetVersion;
    public readonly delegate* unmanaged<CudaError, byte**, CudaError> GetErrorName;
    public readonly delegate* unmanaged<CudaError, byte**, CudaError> GetErrorString;

    // ---- devices and their primary context
    public readonly delegate* unmanaged<int*, CudaError> DeviceGetCount;
    public readonly delegate* unmanaged<int*, int, CudaError> DeviceGet;
    public readonly delegate* unmanaged<byte*, int, int, CudaError> DeviceGetName;
    public readonly delegate* unmanaged<int*, DeviceAttribute, int, CudaError> DeviceGetAttribute;
    public readonly delegate* unmanaged<nuint*, int, CudaError> DeviceTotalMem;
    public readonly delegate* unmanaged<nint*, int, CudaError> DevicePrimaryCtxRetain;
    public readonly delegate* unmanaged<int, CudaError> DevicePrimaryCtxRelease;
    public readonly delegate* unmanaged<int, CudaError> DevicePrimaryCtxReset;
    public readonly delegate* unmanaged<nint, CudaError> CtxSetCurrent;
    public readonly delegate* unmanaged<nint*, CudaError> CtxGetCurrent;

    // ---- memory: (bytes free, bytes total); copies are (destination, source, bytes, stream)
    public readonly delegate* unmanaged<nuint*, nuint*, CudaError> MemGetInfo;
    public readonly delegate* unmanaged<ulong*, nuint, CudaError> MemAlloc;
    public readonly delegate* unmanaged<ulong, CudaError> MemFree;
    public readonly delegate* unmanaged<void**, nuint, uint, CudaError> MemHostAlloc;
    public readonly delegate* unmanaged<void*, CudaError> MemFreeHost;
    public readonly delegate* unmanaged<ulong, void*, nuint, nint, CudaError> MemcpyHtoDAsync;
    public readonly delegate* unmanaged<void*, ulong, nuint, nint, CudaError> MemcpyDtoHAsync;
    public readonly delegate* unmanaged<ulong, ulong, nuint, nint, CudaError> MemcpyDtoDAsync;
    public readonly delegate* unmanaged<ulong, byte, nuint, nint, CudaError> MemsetD8Async;
    public readonly delegate* unmanaged<ulong, uint, nuint, nint, CudaError> MemsetD32Async;

    // ---- streams and events
    public readonly delegate* unmanaged<nint*, StreamFlags, CudaError> StreamCreate;
    public readonly delegate* unmanaged<nint, CudaError> StreamDestroy;
    public readonly delegate* unmanaged<nint, CudaError> StreamSynchronize;
    public readonly delegate* unmanaged<nint, CudaError> StreamQuery;
    public readonly delegate* unmanaged<nint, nint, uint, CudaError> StreamWaitEvent;
    public readonly delegate* unmanaged<nint, CaptureMode, CudaError> StreamBeginCapture;
    public readonly delegate* unmanaged<nint, nint*, CudaError> StreamEndCapture;
    public readonly delegate* unmanaged<nint, CaptureStatus*, CudaError> StreamIsCapturing;
    public readonly delegate* unmanaged<nint*, EventFlags, CudaError> EventCreate;
    public readonly delegate* unmanaged<nint, nint, CudaError> EventRecord;
    public readonly delegate* unmanaged<nint, CudaError> EventQuery;
    public readonly delegate* unmanaged<nint, CudaError> EventSynchronize;
    public readonly delegate* unmanaged<float*, nint, nint, CudaError> EventElapsedTime;
    public readonly delegate* unmanaged<nint, CudaError> EventDestroy;

    // ---- modules and functions
    public readonly delegate* unmanaged<uint, JitOption*, void**, nint*, CudaError> LinkCreate;
    public readonly delegate* unmanaged<nint, JitInputType, void*, nuint, byte*, uint, JitOption*, void**, CudaError> LinkAddData;
    public readonly delegate* unmanaged<nint, void**, nuint*, CudaError> LinkComplete;
    public readonly delegate* unmanaged<nint, CudaError> LinkDestroy;
    public readonly delegate* unmanaged<nint*, void*, uint, JitOption*, void**, CudaError> ModuleLoadDataEx;
    public readonly delegate* unmanaged<nint, CudaError> ModuleUnload;
    public readonly delegate* unmanaged<nint*, nint, byte*, CudaError> ModuleGetFunction;
    public readonly delegate* unmanaged<int*, FunctionAttribute, nint, CudaError> FuncGetAttribute;
    public readonly delegate* unmanaged<nint, FunctionAttribute, int, CudaError> FuncSetAttribute;

    /// <summary>Null before driver 12.4: parameter sizes then go unchecked.</summary>
    public readonly delegate* unmanaged<nint, nuint, nuint*, nuint*, CudaError> FuncGetParamInfo;
    public readonly delegate* unmanaged<int*, nint, int, nuint, CudaError> OccupancyMaxActiveBlocksPerMultiprocessor;
    public readonly delegate* unmanaged<LaunchConfig*, nint, void**, void**, CudaError> LaunchKernelEx;

    // ---- graphs
    public readonly delegate* unmanaged<nint*, nint, ulong, CudaError> GraphInstantiateWithFlags;
    public readonly delegate* unmanaged<nint, nint*, nuint*, CudaError> GraphGetNodes;
    public readonly delegate* unmanaged<nint, nint, CudaError> GraphUpload;
    public readonly delegate* unmanaged<nint, nint, CudaError> GraphLaunch;
    public readonly delegate* unmanaged<nint, nint, GraphUpdateResult*, CudaError> GraphExecUpdate;
    public readonly delegate* unmanaged<nint, CudaError> GraphExecDestroy;
    public readonly delegate* unmanaged<nint, CudaError> GraphDestroy;

    /// <summary>The driver of this machine, initialised.</summary>
    /// <param name="library">Another file than libcuda.so.1, for tests.</param>
    /// <exception cref="CudaUnavailableException">No driver, one that is too old, or one that does not start.</exception>
    public static DriverApi Load(string library = LibraryName)
    {
        if (!NativeLibrary.TryLoad(library, out nint handle))
            throw new CudaUnavailableException(CudaProblem.NoDriver,
                $"No NVIDIA driver: {library} was not found. Install the NVIDIA driver, or in a container start it with --gpus all (NVIDIA Container Toolkit).");

        DriverApi api = new(name => NativeLibrary.TryGetExport(handle, name, out nint address) ? address : 0);
        api.Start();
        return api;
    }

    private static nint Need(Func<string, nint> export, string name)
    {
        nint address = export(name);
        if (address == 0) throw CudaUnavailableException.DriverLacks(name);
        return address;
    }
}
