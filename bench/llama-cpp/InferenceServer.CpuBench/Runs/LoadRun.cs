using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using InferenceServer.CpuBench.Model;
using InferenceServer.Hosting;

namespace InferenceServer.CpuBench.Runs;

/// <summary>What loading a model took, in a process of its own.</summary>
/// <param name="Seconds">From nothing to a decode step that has run.</param>
/// <param name="SteadyBytes">Resident afterwards.</param>
/// <param name="PeakBytes">Resident at most.</param>
internal sealed record LoadRun(double Seconds, long SteadyBytes, long PeakBytes)
{
    public const string Once = "load-once";

    private const long KvBytes = 64 << 20; // a sequence of TinyLlama's whole context
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    /// <summary>In this process.</summary>
    public static async Task<LoadRun> MeasureAsync(string path, int threads, string weights, string? weightsCache = null)
    {
        (LoadedModel model, double seconds) = await OurModel.LoadAsync(path, threads, KvBytes, OurModel.Precision(weights), weightsCache);
        await using (model)
        {
            using Process self = Process.GetCurrentProcess();
            return new LoadRun(seconds, self.WorkingSet64, self.PeakWorkingSet64);
        }
    }

    /// <summary>Format after format, and that so many times: a machine whose speed drifts is as fast for each. A first load, which brings the file into memory and fills the weights cache, is not counted.</summary>
    /// <returns>The table.</returns>
    public static string Rounds(IReadOnlyList<(WeightFormat Format, string Path)> files, int rounds, int threads, string weights, string? weightsCache, TextWriter progress)
    {
        Dictionary<WeightFormat, List<LoadRun>> runs = files.ToDictionary(f => f.Format, _ => new List<LoadRun>());
        for (int round = 0; round <= rounds; round++)
        {
            foreach ((WeightFormat format, string path) in files)
            {
                LoadRun run = InChild(path, threads, weights, weightsCache);
                if (round > 0) runs[format].Add(run);
                progress.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{format,-8} {run.Seconds:F2} s, {run.PeakBytes / 1e6:F0} MB at most{(round == 0 ? ", not counted" : "")}"));
            }
        }

        IEnumerable<string> rows = files.Select(f => Row(f.Format, new FileInfo(f.Path).Length, runs[f.Format]));
        return string.Join('\n', [$"Loads with --weights {weights}{(weightsCache is null ? "" : " and a weights cache")}, {rounds} rounds, the file in the page cache, a KV pool of {KvBytes / 1e6:F0} MB:", "",
            "| format | file, GB | load, s: median (lowest-highest) | s a GB of file | MB at most | MB afterwards |", "| --- | ---: | ---: | ---: | ---: | ---: |", .. rows]);
    }

    private static LoadRun InChild(string path, int threads, string weights, string? weightsCache)
    {
        ProgramResult result = ChildProgram.RunSelf([Once, "--model", path, "--threads", threads.ToString(CultureInfo.InvariantCulture), "--weights", weights, .. weightsCache is null ? [] : new[] { "--weights-cache", weightsCache }], Limit);
        if (result.ExitStatus != 0) throw new BenchException($"Loading {Path.GetFileName(path)} ended with {result.ExitStatus}: {result.LastErrors}");
        return JsonSerializer.Deserialize<LoadRun>(result.Output) ?? throw new BenchException($"A load printed no figures: {result.Output}");
    }

    private static string Row(WeightFormat format, long fileBytes, List<LoadRun> runs)
    {
        double seconds = Median.Of(runs.Select(r => r.Seconds)) ?? 0;
        return string.Create(CultureInfo.InvariantCulture,
            $"| {format.PeerName} | {fileBytes / 1e9:F2} | {seconds:F2} ({runs.Min(r => r.Seconds):F2}-{runs.Max(r => r.Seconds):F2}) | {seconds / (fileBytes / 1e9):F2} | {Median.Of(runs.Select(r => r.PeakBytes / 1e6)):F0} | {Median.Of(runs.Select(r => r.SteadyBytes / 1e6)):F0} |");
    }
}
