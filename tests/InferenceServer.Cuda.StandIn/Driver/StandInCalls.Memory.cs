using System.Runtime.InteropServices;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.StandIn.Driver;

/// <summary>Memory, copies and fills.</summary>
internal static unsafe partial class StandInCalls
{
    private static nint MemoryExport(string name) => name switch
    {
        "cuMemGetInfo_v2" => (nint)(delegate* unmanaged<nuint*, nuint*, CudaError>)&MemGetInfo,
        "cuMemAlloc_v2" => (nint)(delegate* unmanaged<ulong*, nuint, CudaError>)&MemAlloc,
        "cuMemFree_v2" => (nint)(delegate* unmanaged<ulong, CudaError>)&MemFree,
        "cuMemHostAlloc" => (nint)(delegate* unmanaged<void**, nuint, uint, CudaError>)&MemHostAlloc,
        "cuMemFreeHost" => (nint)(delegate* unmanaged<void*, CudaError>)&MemFreeHost,
        "cuMemcpyHtoDAsync_v2" => (nint)(delegate* unmanaged<ulong, void*, nuint, nint, CudaError>)&MemcpyHtoD,
        "cuMemcpyDtoHAsync_v2" => (nint)(delegate* unmanaged<void*, ulong, nuint, nint, CudaError>)&MemcpyDtoH,
        "cuMemcpyDtoDAsync_v2" => (nint)(delegate* unmanaged<ulong, ulong, nuint, nint, CudaError>)&MemcpyDtoD,
        "cuMemsetD8Async" => (nint)(delegate* unmanaged<ulong, byte, nuint, nint, CudaError>)&MemsetD8,
        "cuMemsetD32Async" => (nint)(delegate* unmanaged<ulong, uint, nuint, nint, CudaError>)&MemsetD32,
        _ => 0,
    };

    [UnmanagedCallersOnly]
    private static CudaError MemGetInfo(nuint* free, nuint* total)
    {
        lock (Device.Gate)
        {
            if (Enter("cuMemGetInfo_v2") is not CudaError.Success and var error) return error;
            (*free, *total) = ((nuint)Device.Memory.Free, (nuint)Device.Options.MemoryBytes);
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError MemAlloc(ulong* address, nuint bytes)
    {
        lock (Device.Gate)
        {
            if (Enter("cuMemAlloc_v2") is not CudaError.Success and var error) return error;
            if (bytes == 0) return CudaError.InvalidValue;
            if (Device.IsCapturing) return CudaError.StreamCaptureUnsupported;
            *address = Device.Memory.Allocate((long)bytes, pinned: false);
            return *address == 0 ? CudaError.OutOfMemory : CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError MemFree(ulong address)
    {
        lock (Device.Gate)
        {
            if (Enter("cuMemFree_v2") is not CudaError.Success and var error) return error;
            if (Device.IsCapturing) return CudaError.StreamCaptureUnsupported;
            Device.FinishAll(); // freeing waits for the device
            return Device.Memory.Release(address, pinned: false) ? CudaError.Success : Refuse(CudaError.InvalidValue, "no device memory begins there");
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError MemHostAlloc(void** address, nuint bytes, uint flags)
    {
        lock (Device.Gate)
        {
            if (Enter("cuMemHostAlloc") is not CudaError.Success and var error) return error;
            if (Device.IsCapturing) return CudaError.StreamCaptureUnsupported;
            *address = (void*)Device.Memory.Allocate((long)bytes, pinned: true);
            return *address == null ? CudaError.InvalidValue : CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError MemFreeHost(void* address)
    {
        lock (Device.Gate)
        {
            if (Enter("cuMemFreeHost") is not CudaError.Success and var error) return error;
            return Device.Memory.Release((ulong)address, pinned: true) ? CudaError.Success : Refuse(CudaError.InvalidValue, "no page-locked memory begins there");
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError MemcpyHtoD(ulong destination, void* source, nuint bytes, nint stream) =>
        Copy("cuMemcpyHtoDAsync_v2", StreamWorkKind.CopyToDevice, destination, (ulong)source, (long)bytes, stream);

    [UnmanagedCallersOnly]
    private static CudaError MemcpyDtoH(void* destination, ulong source, nuint bytes, nint stream) =>
        Copy("cuMemcpyDtoHAsync_v2", StreamWorkKind.CopyToHost, (ulong)destination, source, (long)bytes, stream);

    [UnmanagedCallersOnly]
    private static CudaError MemcpyDtoD(ulong destination, ulong source, nuint bytes, nint stream) =>
        Copy("cuMemcpyDtoDAsync_v2", StreamWorkKind.CopyOnDevice, destination, source, (long)bytes, stream);

    [UnmanagedCallersOnly]
    private static CudaError MemsetD8(ulong destination, byte value, nuint bytes, nint stream) =>
        Fill("cuMemsetD8Async", StreamWorkKind.Fill8, destination, value, (long)bytes, stream);

    [UnmanagedCallersOnly]
    private static CudaError MemsetD32(ulong destination, uint value, nuint count, nint stream) =>
        destination % 4 == 0 ? Fill("cuMemsetD32Async", StreamWorkKind.Fill32, destination, value, (long)count * 4, stream) : CudaError.InvalidValue;

    private static CudaError Copy(string call, StreamWorkKind kind, ulong destination, ulong source, long bytes, nint handle)
    {
        lock (Device.Gate)
        {
            if (Enter(call) is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out StandInStream stream)) return CudaError.InvalidHandle;
            if (bytes == 0) return CudaError.Success;
            if (kind != StreamWorkKind.CopyToHost && !Device.Memory.Holds(destination, bytes, pinned: false)) return Refuse(CudaError.InvalidValue, $"{call}: {bytes} bytes at the destination are not device memory");
            if (kind != StreamWorkKind.CopyToDevice && !Device.Memory.Holds(source, bytes, pinned: false)) return Refuse(CudaError.InvalidValue, $"{call}: {bytes} bytes at the source are not device memory");
            ulong host = kind == StreamWorkKind.CopyToDevice ? source : destination;
            if (kind == StreamWorkKind.CopyOnDevice || Device.Memory.Holds(host, bytes, pinned: true))
            {
                stream.Enqueue(new StreamWork { Kind = kind, Destination = destination, Source = source, Bytes = bytes });
                return CudaError.Success;
            }

            // Pageable memory: the copy is done when the call returns.
            if (stream.Capture is not null) return CudaError.StreamCaptureUnsupported;
            Device.Finish(stream);
            if (Device.Sticky == CudaError.Success) Buffer.MemoryCopy((void*)source, (void*)destination, bytes, bytes);
            return Device.Sticky;
        }
    }

    private static CudaError Fill(string call, StreamWorkKind kind, ulong destination, uint value, long bytes, nint handle)
    {
        lock (Device.Gate)
        {
            if (Enter(call) is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out StandInStream stream)) return CudaError.InvalidHandle;
            if (bytes == 0) return CudaError.Success;
            if (!Device.Memory.Holds(destination, bytes, pinned: false)) return Refuse(CudaError.InvalidValue, $"{call}: {bytes} bytes are not device memory");
            stream.Enqueue(new StreamWork { Kind = kind, Destination = destination, Value = value, Bytes = bytes });
            return CudaError.Success;
        }
    }
}
