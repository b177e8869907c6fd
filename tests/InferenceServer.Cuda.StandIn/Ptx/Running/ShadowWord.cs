namespace InferenceServer.Cuda.StandIn.Ptx.Running;

/// <summary>What is known of four bytes of shared memory. Ticks tell which accesses a barrier lies between; see <see cref="SharedClock"/>.</summary>
internal struct ShadowWord
{
    public const byte ManyLanes = 0xff;

    /// <summary>When the last write happened; before the block began: never.</summary>
    public uint WriteTick;
    public uint ReadTick;
    /// <summary>Warps that read since the last barrier of all.</summary>
    public uint Readers;
    public byte Writer, WriterLane;
    /// <summary>Bytes written at or since the last ordered write, a bit each.</summary>
    public byte WrittenBytes;
    /// <summary>Bytes that hold a value.</summary>
    public byte InitialisedBytes;
    /// <summary>Bytes that an asynchronous copy will write.</summary>
    public byte PendingBytes;
    public byte ReadBytes, LastReader, ReaderLane;
    /// <summary>The last write was an atomic operation, which does not race with another.</summary>
    public bool Atomic;
}
