using System.Globalization;
using System.Text.RegularExpressions;
using InferenceServer.Core.Stepping;
using InferenceServer.Cpu;
using InferenceServer.Hosting.Devices;
using InferenceServer.Models;
using InferenceServer.Options;
using InferenceServer.Tests.EndToEnd;
using InferenceServer.Tests.Fakes;

namespace InferenceServer.Tests.Hosting;

/// <summary>--weights on a CPU: the log line at load tells the bytes that the weights take once they are converted.</summary>
public partial class WeightPrecisionTests
{
    private const double Parameters = 2048 * 192 + 6 * (192 * (192 + 2 * 96) + 192 * 192 + 3 * 192 * 512); // matrices of the demo model; norms are 2,496 more

    [Theory]
    [InlineData(WeightPrecision.AsStored, 16)]
    [InlineData(WeightPrecision.F32, 32)]
    [InlineData(WeightPrecision.BF16, 16)]
    [InlineData(WeightPrecision.Q8, 8.5)]
    public void The_load_says_what_the_weights_take_afterwards(WeightPrecision weights, double bits) =>
        Assert.InRange(LoadedMb(TestModels.Demo, weights), Math.Floor(Parameters * bits / 8 / (1 << 20)), Parameters * bits / 8 / (1 << 20) * 1.03);

    [Fact]
    public void Embedding_and_head_keep_more_bits_than_q4()
    {
        double embedding = 2048 * 192, layers = Parameters - embedding;
        double expected = (embedding * 8.5 + layers * 4.5) / 8 / (1 << 20);
        Assert.InRange(LoadedMb(TestModels.Demo, WeightPrecision.Q4), Math.Floor(expected), expected * 1.03);
    }

    private static long LoadedMb(string model, WeightPrecision weights)
    {
        CapturedLog log = new();
        using ModelFolder folder = ModelFolder.Open(model);
        using IModelRunner runner = new CpuDevice().LoadRunner(folder, new ServerOptions { Cpu = new() { Threads = 1, Weights = weights } }, log);
        return long.Parse(Loading().Match(Assert.Single(log.Lines)).Groups[1].Value, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"loading \w+: (\d+) MB of weights,")]
    private static partial Regex Loading();
}
