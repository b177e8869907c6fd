namespace InferenceServer.Cuda.Driver;

/// <summary>Why CUDA cannot be used here.</summary>
public enum CudaProblem
{
    NoDriver,
    DriverTooOld,
    DriverNotStarted,
    NoDevice,
    NoSuchDevice,
    DeviceTooOld,
    NoPtxCompiler,
    BadKernels,
    NoKernels,
}

/// <summary>CUDA cannot be used on this machine. The message is one for the operator: what is missing, and what to do about it.</summary>
public sealed class CudaUnavailableException(CudaProblem problem, string message, Exception? inner = null) : Exception(message, inner)
{
    public CudaProblem Problem { get; } = problem;

    internal static CudaUnavailableException DriverLacks(string function) => new(CudaProblem.DriverTooOld,
        $"The NVIDIA driver is too old: it has no {function}. Driver {DriverApi.VersionText(DriverApi.OldestVersion)} (525.60) or newer is needed; update it.");

    internal static CudaUnavailableException DriverTooOld(int version) => new(CudaProblem.DriverTooOld,
        $"The NVIDIA driver is too old: it speaks CUDA {DriverApi.VersionText(version)}, and {DriverApi.VersionText(DriverApi.OldestVersion)} (driver 525.60) or newer is needed. Update it.");

    internal static CudaUnavailableException NotStarted(CudaError error, string name, string text) => error switch
    {
        CudaError.NoDevice => NoDevice(),
        CudaError.StubLibrary => new(CudaProblem.NoDriver,
            "No NVIDIA driver: the libcuda.so.1 found is the toolkit's stub for linking. Take its folder out of LD_LIBRARY_PATH, or start the container with --gpus all."),
        CudaError.SystemDriverMismatch => new(CudaProblem.DriverNotStarted,
            "The NVIDIA driver does not start: its library and its kernel module differ in version. Reboot, or reload the module; in a container, remove its own copy of libcuda."),
        CudaError.SystemNotReady => new(CudaProblem.DriverNotStarted,
            "The NVIDIA driver does not start: the system is not ready. On machines with NVSwitch start nvidia-fabricmanager, then try again."),
        _ => new(CudaProblem.DriverNotStarted, $"The NVIDIA driver does not start: cuInit answered {name} ({(int)error}): {text}. `nvidia-smi` shows more."),
    };

    internal static CudaUnavailableException NoDevice() => new(CudaProblem.NoDevice,
        "The NVIDIA driver is here but shows no GPU. Check `nvidia-smi` and CUDA_VISIBLE_DEVICES; a container must be started with --gpus all.");

    internal static CudaUnavailableException NoSuchDevice(int device, int count) => new(CudaProblem.NoSuchDevice,
        $"There is no GPU {device}: the driver shows {count}, numbered from 0. Choose another with --device cuda:n, or widen CUDA_VISIBLE_DEVICES.");

    internal static CudaUnavailableException DeviceTooOld(int device, string name, ComputeCapability found) => new(CudaProblem.DeviceTooOld,
        $"GPU {device} ({name}) is too old: it has compute capability {found}, and the kernels need {ComputeCapability.Oldest} (A100, RTX 30) or newer. Use --device cpu, or another GPU.");

    internal static CudaUnavailableException NoPtxCompiler(Exception inner) => new(CudaProblem.NoPtxCompiler,
        "The driver's PTX compiler (libnvidia-ptxjitcompiler) is missing in this container (error 221). Start it with NVIDIA_DRIVER_CAPABILITIES=compute,utility.", inner);

    internal static CudaUnavailableException BadKernels(string family, string arch, string log, Exception inner) => new(CudaProblem.BadKernels,
        $"The driver's assembler refused the kernels ptx/{arch}/{family}.ptx: {inner.Message} {(log.Length == 0 ? "It left no log." : "Its log: " + log)}", inner);

    internal static CudaUnavailableException NoKernels() => new(CudaProblem.NoKernels,
        "This build has no CUDA kernels: clang was missing when it was built. Install clang-19 and build again, or use the CUDA image; --device cpu works as it is.");
}
