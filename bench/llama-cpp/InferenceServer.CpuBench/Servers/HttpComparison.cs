using System.Globalization;
using System.Text.Json;
using InferenceServer.CpuBench.Model;
using InferenceServer.CpuBench.Runs;

namespace InferenceServer.CpuBench.Servers;

/// <summary>The load generator on both servers in turn. 16 callers, 256 tokens in of which all share the first 128, 128 out.</summary>
internal sealed class HttpComparison(int requests, Action<BenchRun> record, TextWriter progress)
{
    public const string Case = "http";

    public const int Callers = 16, Input = 256, Shared = 128, Output = 128;

    /// <summary>Tokens of a slot: a request and room to spare.</summary>
    public const int Context = 512;

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(20);

    public void Run(WeightFormat format, ServerPlan ours, ServerPlan theirs, int rounds)
    {
        for (int round = 0; round < rounds; round++)
        {
            foreach (ServerPlan plan in round % 2 == 0 ? (ServerPlan[])[ours, theirs] : [theirs, ours])
            {
                BenchRun run = Measure(format, plan);
                record(run);
                progress.WriteLine($"{run.Format,-8} {Case,-11} {run.Side,-6} {run.TokensPerSecond,8:F2} tokens/s, TTFT p95 {run.TtftP95Ms:F0} ms, ITL p99 {run.ItlP99Ms:F0} ms");
            }
        }
    }

    /// <summary>The figures of a report that the load generator wrote.</summary>
    /// <exception cref="BenchException">Requests failed, or it is no report.</exception>
    public static BenchRun Read(string report, string side, string format, string flags)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(report);
            JsonElement root = json.RootElement;
            int failed = root.GetProperty("failed").GetInt32();
            if (failed > 0) throw new BenchException($"{failed} requests to {side} failed: {root.GetProperty("errors")}");
            return new BenchRun
            {
                Side = side,
                Format = format,
                Case = Case,
                Flags = flags,
                TokensPerSecond = root.GetProperty("output_tokens_per_second").GetDouble(),
                TtftP95Ms = root.GetProperty("ttft_ms").GetProperty("p95").GetDouble(),
                ItlP99Ms = root.GetProperty("itl_ms").GetProperty("p99").GetDouble(),
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new BenchException($"The load generator's report cannot be read: {e.Message}");
        }
    }

    private BenchRun Measure(WeightFormat format, ServerPlan plan)
    {
        string program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "InferenceServer.LoadBench.exe" : "InferenceServer.LoadBench");
        string report = Path.GetTempFileName();
        try
        {
            using ServerUnderTest server = plan.Start();
            ProgramResult result = ChildProgram.Run(program,
            [
                "--url", server.Url.ToString(), "--requests", Text(requests), "--concurrency", Text(Callers), "--input", Text(Input), "--shared-prefix", Text(Shared),
                "--output", Text(Output), "--warmup", "1", "--reconnect", "--json", report,
            ], Limit);
            if (result.ExitStatus is not (0 or 1)) throw new BenchException($"The load generator ended with {result.ExitStatus}: {result.LastErrors}");
            (long steady, long peak) = server.Memory;
            return Read(File.ReadAllText(report), plan.Side, format.Name, string.Join(' ', plan.Flags)) with { SteadyBytes = steady, PeakBytes = peak };
        }
        finally
        {
            File.Delete(report);
        }
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
