using System.Text.Json;

namespace InferenceServer.GpuBench.Reports;

/// <summary>The load generator's JSON, of a run through HTTP, as a row.</summary>
internal static class LoadReport
{
    /// <summary>False if requests failed.</summary>
    public static bool Write(string file, string shape, int concurrency, ResultLog log)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
        JsonElement report = document.RootElement;
        int failed = report.GetProperty("failed").GetInt32();
        log.WriteOurs("HTTP", ("model", shape), ("concurrency", concurrency), ("requests", report.GetProperty("requests").GetInt32()), ("failed", failed),
            ("tokens_per_s", report.GetProperty("output_tokens_per_second").GetDouble()), ("ttft p50 ms", Median(report, "ttft_ms")), ("itl p50 ms", Median(report, "itl_ms")));
        return failed == 0;
    }

    private static double Median(JsonElement report, string name) => report.GetProperty(name).GetProperty("p50").GetDouble();
}
