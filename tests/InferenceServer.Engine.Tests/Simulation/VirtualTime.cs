namespace InferenceServer.Engine.Tests.Simulation;

/// <summary>A clock that moves when told to. One tick is 100 ns, as on Windows.</summary>
internal sealed class VirtualTime : TimeProvider
{
    private long _now = 1_000;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Volatile.Read(ref _now);

    public void Advance(TimeSpan time) => Interlocked.Add(ref _now, time.Ticks);
}
