using System.Runtime.InteropServices;

namespace InferenceServer.Cuda.Driver;

/// <summary>CUlaunchConfig: 56 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct LaunchConfig
{
    public uint GridX, GridY, GridZ;
    public uint BlockX, BlockY, BlockZ;
    public uint SharedBytes;
    public nint Stream;
    public LaunchAttribute* Attributes;
    public uint AttributeCount;
}

/// <summary>CUlaunchAttribute: an id and a union of 64 bytes, of which two members are used here.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct LaunchAttribute
{
    [FieldOffset(0)] public LaunchAttributeId Id;
    [FieldOffset(8)] public int ProgrammaticStreamSerializationAllowed;
    [FieldOffset(8)] public uint ClusterX;
    [FieldOffset(12)] public uint ClusterY;
    [FieldOffset(16)] public uint ClusterZ;
}

/// <summary>CUgraphExecUpdateResultInfo: 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct GraphUpdateResult
{
    public int Result;
    public nint ErrorNode;
    public nint ErrorFromNode;
}
