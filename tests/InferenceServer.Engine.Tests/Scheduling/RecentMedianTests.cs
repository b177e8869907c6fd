using InferenceServer.Engine.Scheduling;
using Xunit;

namespace InferenceServer.Engine.Tests.Scheduling;

public sealed class RecentMedianTests
{
    [Fact]
    public void It_is_the_lower_median_of_the_last_five()
    {
        RecentMedian median = default;
        Assert.Equal(0, median.Value);
        Random random = new(1);
        List<double> all = [];
        for (int i = 0; i < 40; i++)
        {
            all.Add(random.NextDouble());
            median.Add(all[^1]);
            double[] last = [.. all.TakeLast(5).Order()];
            Assert.Equal(last[(last.Length - 1) / 2], median.Value);
        }
    }
}
