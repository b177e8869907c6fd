using System.Diagnostics;
using InferenceServer.Cpu;
using InferenceServer.Hosting;
using InferenceServer.Hosting.Devices;
using InferenceServer.Options;
using Microsoft.Extensions.Logging.Abstractions;

namespace InferenceServer.CpuBench.Runs;

/// <summary>A model in this process, loaded as the server loads it: the engine started, a prompt and a decode step run.</summary>
internal static class OurModel
{
    /// <param name="path">A GGUF file or a Hugging Face folder.</param>
    /// <param name="threads">Of the CPU backend.</param>
    /// <param name="kvBytes">The KV pool.</param>
    /// <param name="weights">What float weights become.</param>
    /// <param name="weightsCache">The folder of a weights cache, or null.</param>
    /// <exception cref="BenchException">It cannot be loaded.</exception>
    public static async Task<(LoadedModel Model, double Seconds)> LoadAsync(string path, int threads, long kvBytes, WeightPrecision weights = WeightPrecision.AsStored, string? weightsCache = null)
    {
        ServerOptions options = new()
        {
            Model = new ModelOptions { Path = path, Device = "cpu" },
            Cpu = new Options.CpuOptions { Threads = threads, Weights = weights, WeightsCache = weightsCache },
            Kv = new KvOptions { Memory = kvBytes },
            Scheduler = new SchedulerOptions { DecodeSlowdown = 0 }, // all sequences begin together, as in llama-batched-bench
        };
        long started = Stopwatch.GetTimestamp();
        try
        {
            LoadedModel model = await ModelLoader.LoadAsync(ServedSource.Resolve(options.Model), options, new CpuDevice(), observer: null, NullLogger.Instance, CancellationToken.None);
            return (model, Stopwatch.GetElapsedTime(started).TotalSeconds);
        }
        catch (StartupException e)
        {
            throw new BenchException(e.Message);
        }
    }

    /// <exception cref="BenchException">There is no such precision.</exception>
    public static WeightPrecision Precision(string name) =>
        Enum.TryParse(name.Replace("-", "", StringComparison.Ordinal), ignoreCase: true, out WeightPrecision weights) && Enum.IsDefined(weights)
            ? weights
            : throw new BenchException($"'{name}' is no precision of weights; there are as-stored, f32, bf16, q8 and q4.");
}
