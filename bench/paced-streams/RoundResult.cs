namespace InferenceServer.PacedStreams;

/// <summary>What one number of streams cost.</summary>
internal sealed record RoundResult
{
    public required int Streams { get; init; }

    public required double TokensPerSecond { get; init; }

    /// <summary>User and system time of the server's process over tokens sent.</summary>
    public required double ServerCpuMicrosecondsPerToken { get; init; }

    /// <summary>Below 1 where tokens of a stream left together because it had fallen behind: cheaper, and later.</summary>
    public required double WritesPerToken { get; init; }

    public required double AllocatedBytesPerToken { get; init; }

    /// <summary>How busy other processes kept the machine, 0 to 1: the delays of a round hold only where it is near 0.</summary>
    public double? OthersShareOfProcessors { get; init; }

    /// <summary>Emission to the return of the server's flush, ms.</summary>
    public required Latencies EmitToFlush { get; init; }

    /// <summary>Emission to the client's read, ms.</summary>
    public required Latencies EmitToReceive { get; init; }
}
