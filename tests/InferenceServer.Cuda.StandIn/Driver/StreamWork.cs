using System.Runtime.InteropServices;

namespace InferenceServer.Cuda.StandIn.Driver;

internal enum StreamWorkKind
{
    Launch,
    CopyToDevice,
    CopyToHost,
    CopyOnDevice,
    Fill8,
    Fill32,
    RecordEvent,
    WaitEvent,
    MatrixProduct,
}

/// <summary>One thing a stream has to do. A struct, so that enqueueing it allocates nothing.</summary>
internal unsafe struct StreamWork
{
    public const int MaxParameterBytes = 256;

    public StreamWorkKind Kind;
    public StandInFunction? Function;
    public StandInEvent? Event;

    /// <summary>WaitEvent and RecordEvent: which recording of the event.</summary>
    public long Recording;

    public ulong Destination, Source;
    public long Bytes;
    public uint Value;
    public uint GridX, GridY, GridZ, BlockX, BlockY, BlockZ, SharedBytes;

    /// <summary>A library's own work, e.g. a matrix product.</summary>
    public Action? Library;

    public fixed byte Parameters[MaxParameterBytes];

    /// <summary>The parameters as the interpreter takes them.</summary>
    public readonly byte[] CopyParameters(int bytes)
    {
        fixed (byte* parameters = Parameters) return MemoryMarshal.CreateReadOnlySpan(in *parameters, bytes).ToArray();
    }
}
