using System.Runtime.InteropServices;
using InferenceServer.Cuda.Driver;

namespace InferenceServer.Cuda.StandIn.Driver;

/// <summary>Graphs: what one stream captured, in its order.</summary>
internal static unsafe partial class StandInCalls
{
    private static nint GraphExport(string name) => name switch
    {
        "cuStreamBeginCapture_v2" => (nint)(delegate* unmanaged<nint, CaptureMode, CudaError>)&StreamBeginCapture,
        "cuStreamEndCapture" => (nint)(delegate* unmanaged<nint, nint*, CudaError>)&StreamEndCapture,
        "cuStreamIsCapturing" => (nint)(delegate* unmanaged<nint, CaptureStatus*, CudaError>)&StreamIsCapturing,
        "cuGraphInstantiateWithFlags" => (nint)(delegate* unmanaged<nint*, nint, ulong, CudaError>)&GraphInstantiate,
        "cuGraphGetNodes" => (nint)(delegate* unmanaged<nint, nint*, nuint*, CudaError>)&GraphGetNodes,
        "cuGraphUpload" => (nint)(delegate* unmanaged<nint, nint, CudaError>)&GraphUpload,
        "cuGraphLaunch" => (nint)(delegate* unmanaged<nint, nint, CudaError>)&GraphLaunch,
        "cuGraphExecUpdate_v2" => (nint)(delegate* unmanaged<nint, nint, GraphUpdateResult*, CudaError>)&GraphExecUpdate,
        "cuGraphExecDestroy" => (nint)(delegate* unmanaged<nint, CudaError>)&GraphDestroy,
        "cuGraphDestroy" => (nint)(delegate* unmanaged<nint, CudaError>)&GraphDestroy,
        _ => 0,
    };

    [UnmanagedCallersOnly]
    private static CudaError StreamBeginCapture(nint handle, CaptureMode mode)
    {
        lock (Device.Gate)
        {
            if (Enter("cuStreamBeginCapture_v2") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out StandInStream stream)) return CudaError.InvalidHandle;
            if (stream.Capture is not null) return CudaError.IllegalState;
            stream.Capture = [];
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError StreamEndCapture(nint handle, nint* graph)
    {
        lock (Device.Gate)
        {
            if (!Device.TryGet(handle, out StandInStream stream)) return CudaError.InvalidHandle;
            List<StreamWork>? captured = stream.Capture;
            stream.Capture = null;
            if (Enter("cuStreamEndCapture") is not CudaError.Success and var error) return error;
            if (captured is null) return CudaError.StreamCaptureUnmatched;
            *graph = Device.Add(new StandInGraph([.. captured]));
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError StreamIsCapturing(nint handle, CaptureStatus* status)
    {
        lock (Device.Gate)
        {
            if (!Device.TryGet(handle, out StandInStream stream)) return CudaError.InvalidHandle;
            *status = stream.Capture is null ? CaptureStatus.None : CaptureStatus.Active;
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError GraphInstantiate(nint* executable, nint handle, ulong flags)
    {
        lock (Device.Gate)
        {
            if (Enter("cuGraphInstantiateWithFlags") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out StandInGraph graph)) return CudaError.InvalidHandle;
            *executable = Device.Add(new StandInGraph(graph.Nodes));
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError GraphGetNodes(nint handle, nint* nodes, nuint* count)
    {
        lock (Device.Gate)
        {
            if (!Device.TryGet(handle, out StandInGraph graph)) return CudaError.InvalidHandle;
            if (nodes != null) return Refuse(CudaError.NotSupported, "this stand-in counts nodes and does not hand them out");
            *count = (nuint)graph.Nodes.Length;
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError GraphUpload(nint handle, nint stream)
    {
        lock (Device.Gate)
        {
            if (Enter("cuGraphUpload") is not CudaError.Success and var error) return error;
            return Device.TryGet(handle, out StandInGraph _) && Device.TryGet(stream, out StandInStream _) ? CudaError.Success : CudaError.InvalidHandle;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError GraphLaunch(nint handle, nint streamHandle)
    {
        lock (Device.Gate)
        {
            if (Enter("cuGraphLaunch") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(handle, out StandInGraph graph) || !Device.TryGet(streamHandle, out StandInStream stream)) return CudaError.InvalidHandle;
            if (stream.Capture is not null) return CudaError.StreamCaptureUnsupported;
            foreach (ref readonly StreamWork node in graph.Nodes.AsSpan()) stream.Enqueue(in node);
            return CudaError.Success;
        }
    }

    /// <summary>Replaces the work if its shape is the same: as many nodes, of the same kinds and functions.</summary>
    [UnmanagedCallersOnly]
    private static CudaError GraphExecUpdate(nint executable, nint handle, GraphUpdateResult* result)
    {
        lock (Device.Gate)
        {
            if (Enter("cuGraphExecUpdate_v2") is not CudaError.Success and var error) return error;
            if (!Device.TryGet(executable, out StandInGraph old) || !Device.TryGet(handle, out StandInGraph graph)) return CudaError.InvalidHandle;
            bool same = old.Nodes.Length == graph.Nodes.Length && old.Nodes.Zip(graph.Nodes).All(p => p.First.Kind == p.Second.Kind && p.First.Function == p.Second.Function);
            if (!same) return CudaError.GraphExecUpdateFailure;
            old.Nodes = graph.Nodes;
            return CudaError.Success;
        }
    }

    [UnmanagedCallersOnly]
    private static CudaError GraphDestroy(nint handle)
    {
        lock (Device.Gate) return Device.Remove<StandInGraph>(handle) ? Device.Sticky : CudaError.InvalidHandle;
    }
}
