using InferenceServer.Hosting;

namespace InferenceServer.Tests.Hosting;

public class RestartPolicyTests
{
    [Fact]
    public void Waits_longer_each_time_and_gives_up()
    {
        HandClock clock = new();
        RestartPolicy policy = new(clock);
        Assert.Equal([1, 5, 30], Enumerable.Range(0, 3).Select(_ => policy.AfterFailure()!.Value.TotalSeconds));
        Assert.Null(policy.AfterFailure());
    }

    [Fact]
    public void What_is_long_past_does_not_count()
    {
        HandClock clock = new();
        RestartPolicy policy = new(clock);
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(1, policy.AfterFailure()!.Value.TotalSeconds);
            Assert.Equal(5, policy.AfterFailure()!.Value.TotalSeconds);
            clock.Now += RestartPolicy.Window + TimeSpan.FromSeconds(1);
        }
    }

    private sealed class HandClock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
