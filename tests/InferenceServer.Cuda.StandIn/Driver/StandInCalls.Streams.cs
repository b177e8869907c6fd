using System.Diagnostics;
using System.Runtime.InteropServices;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.StandIn.Driver;

/// <summary>Streams and events.</summary>
internal static unsafe partial class StandInCalls
{
    private static nint StreamExport(string name) => name switch
    {
        "cuStreamCreate" => (nint)(delegate* unmanaged<nint*, StreamFlags, CudaError>)&StreamCreate,
        "cuStreamDestroy_v2" => (nint)(delegate* unmanaged<nint, CudaError>)&StreamDestroy,
        "cuStreamSynchronize" => (nint)(delegate* unmanaged<nint, CudaError>)&StreamSynchronize,
        "cuStreamQuery" => (nint)(delegate* unmanaged<nint, CudaError>)&StreamQuery,
        "cuStreamWaitEvent" => (nint)(delegate* unmanaged<nint, nint, uint, CudaError>)&StreamWaitEvent,
        "cuEventCreate" => (nint)(delegate* unmanaged<nint*, EventFlags, CudaError>)&EventCreate,
        "cuEventRecord" => (nint)(delegate* unmanaged<nint, nint, CudaError>)&EventRecord,
        "cuEventQuery" => (nint)(delegate* unmanaged<nint, CudaError>)&EventQuery,
        "cuEventSynchronize" => (nint)(delegate* unmanaged<nint, CudaError>)&EventSynchronize,
        "cuEventElapsedTime" => (nint)(delegate* unmanaged<float*, nint, nint, CudaError>)&EventElapsedTime,
        "cuEventDestroy_v2" => (nint)(delegate* unmanaged<nint, CudaError>)&EventDestroy,
        _ => 0,
    };

    [UnmanagedCallersOnly]
    private static CudaError StreamCreate(nint* stream, StreamFlags flags)
    {
        lock (Device.Gate)
        {
            if (Enter("cuStreamCreate") is not CudaError.Success and var error) return error;
            *stream = Device.Add(new StandInStream());
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError StreamDestroy(nint stream)
    {
        lock (Device.Gate) return Device.Remove<StandInStream>(stream) ? Device.Sticky : CudaError.InvalidHandle;
    }

    [UnmanagedCallersOnly]
    private static CudaError StreamSynchronize(nint handle)
    {
        lock (Device.Gate)
        {
            if (Enter("cuStreamSynchronize") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out StandInStream stream)) return CudaError.InvalidHandle;
            if (stream.Capture is not null) return CudaError.StreamCaptureUnsupported;
            Device.Finish(stream);
            return Device.Sticky != CudaError.Success ? Device.Sticky
                : stream.Count == 0 ? CudaError.Success : Refuse(CudaError.IllegalState, "the stream waits for an event that nothing records: a real device would hang");
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError StreamQuery(nint handle)
    {
        lock (Device.Gate)
        {
            if (Enter("cuStreamQuery") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out StandInStream stream)) return CudaError.InvalidHandle;
            if (stream.Capture is not null) return CudaError.StreamCaptureUnsupported;
            Device.RunOne(); // time passes
            return Device.Sticky != CudaError.Success ? Device.Sticky : stream.Count == 0 ? CudaError.Success : CudaError.NotReady;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError StreamWaitEvent(nint handle, nint eventHandle, uint flags)
    {
        lock (Device.Gate)
        {
            if (Enter("cuStreamWaitEvent") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out StandInStream stream) || !Device.TryGet(eventHandle, out StandInEvent e)) return CudaError.InvalidHandle;
            if (stream.Capture is not null) return Refuse(CudaError.StreamCaptureIsolation, "a captured stream may not wait for work outside its graph");
            if (e.Recorded > 0) stream.Enqueue(new StreamWork { Kind = StreamWorkKind.WaitEvent, Event = e, Recording = e.Recorded });
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError EventCreate(nint* e, EventFlags flags)
    {
        lock (Device.Gate)
        {
            if (Enter("cuEventCreate") is not CudaError.Success and var error) return error;
            *e = Device.Add(new StandInEvent());
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError EventRecord(nint handle, nint streamHandle)
    {
        lock (Device.Gate)
        {
            if (Enter("cuEventRecord") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out StandInEvent e) || !Device.TryGet(streamHandle, out StandInStream stream)) return CudaError.InvalidHandle;
            if (stream.Capture is not null) return Refuse(CudaError.StreamCaptureUnsupported, "this stand-in records no events into graphs");
            stream.Enqueue(new StreamWork { Kind = StreamWorkKind.RecordEvent, Event = e, Recording = ++e.Recorded });
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError EventQuery(nint handle)
    {
        lock (Device.Gate)
        {
            if (Enter("cuEventQuery") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out StandInEvent e)) return CudaError.InvalidHandle;
            if (Device.IsCapturing) return CudaError.StreamCaptureUnsupported;
            Device.RunOne(); // time passes
            return Device.Sticky != CudaError.Success ? Device.Sticky : e.Reached >= e.Recorded ? CudaError.Success : CudaError.NotReady;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError EventSynchronize(nint handle)
    {
        lock (Device.Gate)
        {
            if (Enter("cuEventSynchronize") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out StandInEvent e)) return CudaError.InvalidHandle;
            if (Device.IsCapturing) return CudaError.StreamCaptureUnsupported;
            Device.Reach(e, e.Recorded);
            return Device.Sticky != CudaError.Success ? Device.Sticky
                : e.Reached >= e.Recorded ? CudaError.Success : Refuse(CudaError.IllegalState, "the event is never reached: a real device would hang");
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError EventElapsedTime(float* milliseconds, nint first, nint second)
    {
        lock (Device.Gate)
        {
            if (Enter("cuEventElapsedTime") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(first, out StandInEvent begin) || !Device.TryGet(second, out StandInEvent end)) return CudaError.InvalidHandle;
            if (begin.Reached < begin.Recorded || end.Reached < end.Recorded) return CudaError.NotReady;
            *milliseconds = (float)Stopwatch.GetElapsedTime(begin.Timestamp, end.Timestamp).TotalMilliseconds;
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError EventDestroy(nint handle)
    {
        lock (Device.Gate) return Device.Remove<StandInEvent>(handle) ? Device.Sticky : CudaError.InvalidHandle;
    }
}
