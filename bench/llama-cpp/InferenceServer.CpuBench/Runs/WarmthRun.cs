using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using InferenceServer.CpuBench.Model;
using InferenceServer.Hosting;

namespace InferenceServer.CpuBench.Runs;

/// <summary>
/// Whether the first decode steps behind a load are as fast as later ones: tiered compilation shows here if it is in the measured path. One sequence, in a
/// process of its own; what ran before is the warm-up of every load, a prompt and a decode step.
/// </summary>
/// <param name="EarlyMs">Median of steps 3 to 22.</param>
/// <param name="LateMs">Median of steps 190 to 210.</param>
internal sealed record WarmthRun(double EarlyMs, double LateMs)
{
    public const string Once = "warmth-once";

    private const int Steps = 210, EarlyFrom = 3, EarlyTo = 22, LateFrom = 190;
    private const long KvBytes = 64 << 20;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    public double Ratio => EarlyMs / LateMs;

    /// <summary>In this process.</summary>
    public static async Task<WarmthRun> MeasureAsync(string path, int threads)
    {
        (LoadedModel model, _) = await OurModel.LoadAsync(path, threads, KvBytes);
        await using (model)
        {
            RunningRequest request = RunningRequest.Submit(model.Served.Engine, "warmth", [0], maxTokens: Steps + 1);
            request.WaitForTokens(Steps + 1);
            long[] stamps = request.Stamps;
            request.End();
            return new WarmthRun(MedianMs(stamps, EarlyFrom, EarlyTo), MedianMs(stamps, LateFrom, Steps));
        }
    }

    /// <returns>The table.</returns>
    public static string Rounds(IReadOnlyList<(WeightFormat Format, string Path)> files, int rounds, int threads, TextWriter progress)
    {
        Dictionary<WeightFormat, List<WarmthRun>> runs = files.ToDictionary(f => f.Format, _ => new List<WarmthRun>());
        for (int round = 0; round < rounds; round++)
        {
            foreach ((WeightFormat format, string path) in files)
            {
                WarmthRun run = InChild(path, threads);
                runs[format].Add(run);
                progress.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{format,-8} {run.EarlyMs:F2} ms, later {run.LateMs:F2} ms, ratio {run.Ratio:F2}"));
            }
        }

        IEnumerable<string> rows = files.Select(f => Row(f.Format, runs[f.Format]));
        return string.Join('\n', [$"Decode steps {EarlyFrom} to {EarlyTo} over steps {LateFrom} to {Steps} behind a load, {rounds} rounds:", "",
            "| format | early, ms | late, ms | ratio: median (lowest-highest) |", "| --- | ---: | ---: | ---: |", .. rows]);
    }

    private static WarmthRun InChild(string path, int threads)
    {
        ProgramResult result = ChildProgram.RunSelf([Once, "--model", path, "--threads", threads.ToString(CultureInfo.InvariantCulture)], Limit);
        if (result.ExitStatus != 0) throw new BenchException($"{Path.GetFileName(path)} ended with {result.ExitStatus}: {result.LastErrors}");
        return JsonSerializer.Deserialize<WarmthRun>(result.Output) ?? throw new BenchException($"A run printed no figures: {result.Output}");
    }

    /// <param name="stamps">When tokens came; the prompt gave the first, step i the one at i.</param>
    /// <param name="from">A step.</param>
    /// <param name="to">The last step that counts.</param>
    private static double MedianMs(long[] stamps, int from, int to) =>
        Median.Of(Enumerable.Range(from, to - from + 1).Select(step => Stopwatch.GetElapsedTime(stamps[step - 1], stamps[step]).TotalMilliseconds)) ?? 0;

    private static string Row(WeightFormat format, List<WarmthRun> runs) => string.Create(CultureInfo.InvariantCulture,
        $"| {format.PeerName} | {Median.Of(runs.Select(r => r.EarlyMs)):F2} | {Median.Of(runs.Select(r => r.LateMs)):F2} | {Median.Of(runs.Select(r => r.Ratio)):F2} ({runs.Min(r => r.Ratio):F2}-{runs.Max(r => r.Ratio):F2}) |");
}
