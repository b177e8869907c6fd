namespace InferenceServer.Cuda.Driver;

// Numbers of cuda.h; native/driver_signatures.c compares each with the real header.

/// <summary>CUdevice_attribute.</summary>
internal enum DeviceAttribute
{
    MaxThreadsPerBlock = 1,
    MaxSharedMemoryPerBlock = 8,
    WarpSize = 10,
    MultiprocessorCount = 16,
    L2CacheSize = 38,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
    MaxSharedMemoryPerMultiprocessor = 81,
    MaxSharedMemoryPerBlockOptin = 97,
}

/// <summary>CUfunction_attribute.</summary>
internal enum FunctionAttribute
{
    MaxThreadsPerBlock = 0,
    SharedSizeBytes = 1,
    LocalSizeBytes = 3,
    RegisterCount = 4,
    MaxDynamicSharedSizeBytes = 8,
}

/// <summary>CUjit_option.</summary>
internal enum JitOption
{
    InfoLogBuffer = 3,
    InfoLogBufferSizeBytes = 4,
    ErrorLogBuffer = 5,
    ErrorLogBufferSizeBytes = 6,
    OptimizationLevel = 7,
    LogVerbose = 12,
}

/// <summary>CUjitInputType.</summary>
internal enum JitInputType
{
    Cubin = 0,
    Ptx = 1,
}

/// <summary>CUlaunchAttributeID.</summary>
internal enum LaunchAttributeId
{
    ClusterDimension = 4,
    ProgrammaticStreamSerialization = 6,
}

/// <summary>CUstream_flags.</summary>
[Flags]
internal enum StreamFlags : uint
{
    Default = 0,
    NonBlocking = 1,
}

/// <summary>CUevent_flags.</summary>
[Flags]
internal enum EventFlags : uint
{
    Default = 0,
    BlockingSync = 1,
    DisableTiming = 2,
}

/// <summary>CUstreamCaptureMode.</summary>
internal enum CaptureMode
{
    Global = 0,
    ThreadLocal = 1,
    Relaxed = 2,
}

/// <summary>CUstreamCaptureStatus.</summary>
internal enum CaptureStatus
{
    None = 0,
    Active = 1,
    Invalidated = 2,
}
